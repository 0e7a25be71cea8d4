using Weft.Backends.Cuda.Compilation;
using Weft.Interop;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>A key changes with everything that decides what a compilation gives.</summary>
[TestFixture]
public sealed class CubinKeyTests
{
    private static readonly CudaHeader[] Headers = [new("common/a.cuh", "aa"), new("common/b.cuh", "bb")];

    private static readonly Dictionary<string, CubinKey> Variants = new()
    {
        ["the base"] = Key(),
        ["another compiler"] = Key(compiler: "NVRTC 12.5"),
        ["another file"] = Key(file: "y.cu"),
        ["another source"] = Key(source: "int x; "),
        ["another header text"] = Key(headers: [new("common/a.cuh", "aa"), new("common/b.cuh", "b")]),
        ["another header name"] = Key(headers: [new("common/a.cuh", "aa"), new("common/c.cuh", "bb")]),
        ["a header less"] = Key(headers: [new("common/a.cuh", "aa")]),
        ["headers with the same bytes in a row"] = Key(headers: [new("common/a.cuh", "aac"), new("ommon/b.cuh", "bb")]),
        ["another expression"] = Key(expressions: ["k<2>"]),
        ["two expressions"] = Key(expressions: ["k<1>", "k<2>"]),
        ["an option taken for an expression"] = Key(expressions: ["k<1>", "-a"], options: ["-b"]),
        ["another option"] = Key(options: ["-a", "-c"]),
        ["options in another order"] = Key(options: ["-b", "-a"]),
    };

    [Test]
    public void Every_part_counts() =>
        Assert.That(Variants.Values.Select(key => key.Name), Is.Unique);

    [Test]
    public void The_same_parts_give_the_same_key()
    {
        Assert.That(Key().Name, Is.EqualTo(Variants["the base"].Name));
        Assert.That(Key().Name, Does.Match("^[0-9a-f]{64}$"));
    }

    internal static CubinKey Key(
        string compiler = "NVRTC 12.4", string file = "x.cu", string source = "int x;", CudaHeader[]? headers = null, string[]? expressions = null, string[]? options = null) =>
        CubinKey.Of(compiler, file, source, headers ?? Headers, expressions ?? ["k<1>"], options ?? ["-a", "-b"]);
}
