using System.Text;
using Weft.Weights;

namespace Weft.Runtime.Tests.Weights;

[TestFixture]
public sealed class Crc32CTests
{
    // RFC 3720, appendix B.4.
    [Test]
    public void Known_values()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Crc32C.Compute(new byte[32]), Is.EqualTo(0x8A9136AA));
            Assert.That(Crc32C.Compute([.. Enumerable.Repeat((byte)0xFF, 32)]), Is.EqualTo(0x62A8AB43));
            Assert.That(Crc32C.Compute([.. Enumerable.Range(0, 32).Select(i => (byte)i)]), Is.EqualTo(0x46DD794E));
            Assert.That(Crc32C.Compute(Encoding.ASCII.GetBytes("123456789")), Is.EqualTo(0xE3069283));
            Assert.That(Crc32C.Compute([]), Is.Zero);
        });
    }

    [Test]
    public void Every_length_and_every_cut_gives_the_same()
    {
        var random = new Random(1);
        var bytes = new byte[100_000];
        random.NextBytes(bytes);
        foreach (var length in Enumerable.Range(0, 300).Concat([1000, 4095, 4096, 12_345, 65_536, 99_999]))
        {
            var data = bytes.AsSpan(bytes.Length - length, length);
            var expected = Plain(data);
            var cut = random.Next(length + 1);
            var first = data[..cut];
            var second = data[cut..];
            Assert.That(Crc32C.Compute(data), Is.EqualTo(expected), $"{length} bytes");
            Assert.That(Crc32C.Append(Crc32C.Compute(first), second), Is.EqualTo(expected), $"{length} bytes in two pieces");
            Assert.That(Crc32C.Combine(Crc32C.Compute(first), Crc32C.Compute(second), second.Length), Is.EqualTo(expected), $"{length} bytes combined");
        }
    }

    private static uint Plain(ReadOnlySpan<byte> bytes)
    {
        var crc = 0xFFFFFFFFu;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78);
        }

        return ~crc;
    }
}
