using Weft.Sampling;

namespace Weft.Runtime.Tests.Sampling;

/// <summary>Philox4x32-10 against the known answers that Random123 publishes (kat_vectors), and the numbers made from it.</summary>
public sealed class PhiloxTests
{
    [Test]
    public void Known_answer_of_zeros() =>
        Assert.That(Philox.Block(0, 0, 0, 0, 0, 0), Is.EqualTo((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)));

    [Test]
    public void Known_answer_of_ones() =>
        Assert.That(
            Philox.Block(uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue),
            Is.EqualTo((0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)));

    [Test]
    public void Known_answer_of_the_digits_of_pi() =>
        Assert.That(
            Philox.Block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0),
            Is.EqualTo((0xd16cfe09u, 0x94fdcceb, 0x5001e420u, 0x24126ea1u)));

    [Test]
    public void Uniform_takes_the_upper_53_bits_of_the_first_two_words() =>
        Assert.That(Philox.Uniform(0, 0), Is.EqualTo((0xe169c58d6627e8d5UL >> 11) / (double)(1UL << 53)));

    [Test]
    public void Uniform_depends_on_every_word_of_seed_and_step()
    {
        var values = new[] { 0UL, 1UL, 1UL << 32, 1UL << 63 };
        var drawn = values.SelectMany(seed => values.Select(step => Philox.Uniform(seed, step))).ToHashSet();
        Assert.That(drawn, Has.Count.EqualTo(16));
        Assert.That(drawn, Has.All.InRange(0.0, 1.0));
    }
}
