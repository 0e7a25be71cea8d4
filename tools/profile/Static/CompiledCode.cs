using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Profile.Static;

/// <summary>
/// What one compiled kernel is made of. Sizes are of machine code; the mix counts statements of PTX, from which the assembler makes
/// machine code that NVRTC does not show: how often loops run and what is scheduled where cannot be told from either.
/// </summary>
/// <param name="CodeBytes">Machine code.</param>
/// <param name="Threads">Of a block, as the kernel declares.</param>
/// <param name="Mix">Statements of PTX by kind, in the order of <see cref="Kinds"/>.</param>
internal sealed partial record CompiledCode(int CodeBytes, int Threads, IReadOnlyList<int> Mix)
{
    /// <summary>
    /// tensor: products of matrices. global: loads, stores and atomics of device memory. shared: loads and stores of shared memory and fragments.
    /// async: copies in the background. local: spilled or indexed variables. float and integer: arithmetic, conversions with float.
    /// control: branches, barriers, votes, shuffles.
    /// </summary>
    public static IReadOnlyList<string> Kinds { get; } = ["tensor", "global", "shared", "async", "local", "float", "integer", "control", "other"];

    /// <summary>Reads a cubin and its PTX: lowered kernel name → what it is made of.</summary>
    public static IReadOnlyDictionary<string, CompiledCode> Parse(ReadOnlySpan<byte> cubin, string ptx)
    {
        var sizes = CodeSizes(cubin);
        var codes = new Dictionary<string, CompiledCode>(StringComparer.Ordinal);
        var (name, threads, mix) = ("", 0, new int[Kinds.Count]);
        foreach (var line in ptx.Split('\n'))
        {
            if (EntryLine().Match(line) is { Success: true } entry)
                (name, threads, mix) = (entry.Groups["name"].Value, 0, new int[Kinds.Count]);
            else if (ThreadsLine().Match(line) is { Success: true } bound)
                threads = int.Parse(bound.Groups["threads"].ValueSpan, CultureInfo.InvariantCulture);
            else if (line.StartsWith('}') && name.Length > 0)
                codes[name] = new(sizes.GetValueOrDefault(name), threads, mix);
            else if (StatementLine().Match(line) is { Success: true } statement)
                mix[(int)KindOf(statement.Groups["operation"].Value)]++;
        }

        return codes;
    }

    /// <summary>Sizes of the sections <c>.text.NAME</c> of a 64-bit ELF file.</summary>
    private static Dictionary<string, int> CodeSizes(ReadOnlySpan<byte> elf)
    {
        const string Prefix = ".text.";
        var headers = (int)BinaryPrimitives.ReadUInt64LittleEndian(elf[0x28..]);
        var headerSize = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3A..]);
        var count = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3C..]);
        var names = Section(elf, BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3E..])).Offset;
        var sizes = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            var (nameAt, _, size) = Section(elf, i);
            var rest = elf[(names + nameAt)..];
            var name = Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
            if (name.StartsWith(Prefix, StringComparison.Ordinal))
                sizes[name[Prefix.Length..]] = size;
        }

        return sizes;

        (int NameAt, int Offset, int Size) Section(ReadOnlySpan<byte> file, int index)
        {
            var header = file[(headers + (index * headerSize))..];
            return ((int)BinaryPrimitives.ReadUInt32LittleEndian(header), (int)BinaryPrimitives.ReadUInt64LittleEndian(header[0x18..]),
                (int)BinaryPrimitives.ReadUInt64LittleEndian(header[0x20..]));
        }
    }

    private static Kind KindOf(string operation)
    {
        var dot = operation.IndexOf('.');
        var (verb, rest) = dot < 0 ? (operation, "") : (operation[..dot], operation[dot..]);
        return verb switch
        {
            "mma" => Kind.Tensor,
            "wgmma" => rest.StartsWith(".mma_async", StringComparison.Ordinal) ? Kind.Tensor : Kind.Control,
            "ldmatrix" => Kind.Shared,
            "cp" => Kind.Async,
            "ld" or "ldu" or "st" or "atom" or "red" =>
                rest.Contains(".param", StringComparison.Ordinal) ? Kind.Other
                : rest.Contains(".shared", StringComparison.Ordinal) ? Kind.Shared
                : rest.Contains(".local", StringComparison.Ordinal) ? Kind.Local
                : Kind.Global,
            "bra" or "brx" or "call" or "ret" or "exit" or "bar" or "barrier" or "shfl" or "vote" or "match" or "activemask" or "membar" or "fence" or "griddepcontrol" =>
                Kind.Control,
            "mov" or "cvta" or "selp" or "setp" or "prefetch" or "discard" => Kind.Other,
            _ => rest.Contains(".f32", StringComparison.Ordinal) || rest.Contains(".f64", StringComparison.Ordinal)
                || rest.Contains("f16", StringComparison.Ordinal) ? Kind.Float : Kind.Integer,
        };
    }

    private enum Kind
    {
        Tensor,
        Global,
        Shared,
        Async,
        Local,
        Float,
        Integer,
        Control,
        Other,
    }

    [GeneratedRegex(@"\.entry (?<name>\w+)\(")]
    private static partial Regex EntryLine();

    [GeneratedRegex(@"^\.maxntid (?<threads>\d+)")]
    private static partial Regex ThreadsLine();

    [GeneratedRegex(@"^\s+(@!?%\w+\s+)?(?<operation>[a-z][\w.:]*)[^:]*;")]
    private static partial Regex StatementLine();
}
