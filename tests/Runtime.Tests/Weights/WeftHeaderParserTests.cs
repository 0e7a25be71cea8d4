using System.Collections;
using System.Reflection;
using System.Text.Json;
using Weft.Weights;

namespace Weft.Runtime.Tests.Weights;

/// <summary>The parser against what is written: no member of a record is forgotten, whichever is added.</summary>
[TestFixture]
public sealed class WeftHeaderParserTests
{
    [Test]
    public void Every_member_of_every_record_is_read_back([Range(1, 3)] int seed)
    {
        var header = (WeftHeader)Make(typeof(WeftHeader), new Random(seed), depth: 0)!;

        var json = JsonSerializer.SerializeToUtf8Bytes(header, WeftJson.Header);
        var read = WeftHeaderParser.Parse(json);

        Assert.That(JsonSerializer.Serialize(read, WeftJson.Header), Is.EqualTo(JsonSerializer.Serialize(header, WeftJson.Header)));
        Assert.That(json, Has.Length.GreaterThan(10_000));
    }

    [Test]
    public void Members_that_are_left_out_have_the_defaults_of_their_records()
    {
        var written = JsonSerializer.SerializeToUtf8Bytes((WeftHeader)Make(typeof(WeftHeader), random: null, depth: 0)!, WeftJson.Header);
        var read = WeftHeaderParser.Parse(written);

        Assert.That(JsonSerializer.SerializeToUtf8Bytes(read, WeftJson.Header), Is.EqualTo(written));
        Assert.That(read.Model.Layers[0].Attention, Is.Null);
        Assert.That(read.Generation.EosTokens, Is.Empty);
    }

    [TestCase(new byte[] { 2 }, TestName = "Half a length")]
    [TestCase(new byte[] { 3, 0, (byte)'a' }, TestName = "A text beyond the end")]
    [TestCase(new byte[] { 2, 0, 0xFF }, TestName = "A text that is no UTF-8")]
    public void Bytes_that_are_no_texts_are_refused(byte[] bytes) => Assert.That(PackedLists.UnpackTexts(bytes), Is.Null);

    [Test]
    public void More_texts_than_ids_are_refused() => Assert.That(PackedLists.UnpackTexts(new byte[10_000_000]), Is.Null);

    [Test]
    public void Texts_are_packed_and_unpacked()
    {
        string?[] texts = ["", null, "é🙂", new string('x', 1024)];
        Assert.That(PackedLists.UnpackTexts(PackedLists.Pack(texts)), Is.EqualTo(texts));
        Assert.That(PackedLists.UnpackTexts(PackedLists.Pack(["half a pair \ud800"])), Is.EqualTo(new[] { "half a pair \ufffd" }));
        Assert.That(() => PackedLists.Pack([new string('x', ushort.MaxValue)]).Length, Throws.TypeOf<WeftException>().With.Message.Contains("65534"));
    }

    // An instance in which, with random numbers, nothing has its type's default, or, without, nothing that is not required is set.
    private static object? Make(Type type, Random? random, int depth)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        var number = random?.Next(1, 1000) ?? 0;
        if (type.IsEnum)
            return random is null ? Activator.CreateInstance(type) : Enum.GetValues(type).GetValue(random.Next(1, Enum.GetValues(type).Length));
        if (type == typeof(bool))
            return random is not null;
        if (type == typeof(int) || type == typeof(uint) || type == typeof(long))
            return System.Convert.ChangeType(number, type, null);
        if (type == typeof(float))
            return number / 7f;
        if (type == typeof(double))
            return number / 7d;
        if (type == typeof(string))
            return $"text {number}";
        if (type == typeof(IReadOnlyDictionary<string, string>))
            return new Dictionary<string, string> { [$"name {number}"] = "text" };
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
        {
            var element = type.GetGenericArguments()[0];
            var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(element))!;
            for (var i = 0; i < 2; i++)
                list.Add(Make(element, random, depth + 1));
            return list;
        }

        return Record(type, random, depth);
    }

    private static object Record(Type type, Random? random, int depth)
    {
        Assert.That(depth, Is.LessThan(12), "a record that holds itself");
        var constructor = type.GetConstructors().Single();
        var arguments = constructor.GetParameters().Select(p => p.HasDefaultValue && random is null ? p.DefaultValue : Make(p.ParameterType, random, depth + 1));
        var record = constructor.Invoke([.. arguments]);
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.SetMethod is not null && constructor.GetParameters().Length == 0))
        {
            if (random is not null || property.IsDefined(typeof(System.Runtime.CompilerServices.RequiredMemberAttribute)))
                property.SetValue(record, Make(property.PropertyType, random, depth + 1));
        }

        return record;
    }
}
