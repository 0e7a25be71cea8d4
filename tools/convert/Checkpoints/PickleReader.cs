using System.Buffers.Binary;
using System.Text;

namespace Weft.Convert.Checkpoints;

/// <summary>A name that a pickle asks for. Only those that tensors need ever become one.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public override string ToString() => $"{Module}.{Name}";
}

/// <summary>A tuple of a pickle.</summary>
internal sealed record PickleTuple(IReadOnlyList<object?> Items);

/// <summary>A dictionary of a pickle; keys that are no text are dropped, since no tensor hangs from one.</summary>
internal sealed class PickleDictionary
{
    public Dictionary<string, object?> Items { get; } = [];
}

/// <summary>
/// Interprets the opcodes of a pickle (protocols 2 to 5) that build plain data, and nothing else: no code is imported or run. A name is
/// looked up in a list of the few that tensors need, a call is answered by the caller, and every other name or opcode is refused.
/// </summary>
/// <param name="file">Path, for complaints.</param>
/// <param name="data">The pickle.</param>
/// <param name="isAllowed">Whether a name may be asked for.</param>
/// <param name="call">What calling an allowed name gives.</param>
/// <param name="load">What a persistent id stands for.</param>
internal sealed class PickleReader(
    string file, byte[] data, Func<PickleGlobal, bool> isAllowed, Func<PickleGlobal, IReadOnlyList<object?>, object?> call, Func<object?, object?> load)
{
    private readonly List<object?> stack = [];
    private readonly List<int> marks = []; // heights of the stack
    private readonly Dictionary<long, object?> memo = [];
    private int at;

    /// <summary>Reads the pickle's value.</summary>
    /// <exception cref="WeftException">It is damaged, or asks for something that tensors do not need.</exception>
    public object? Read()
    {
        while (true)
        {
            var opcode = (char)Byte();
            if (opcode == '.')
                return Pop();
            Execute(opcode);
        }
    }

    private void Execute(char opcode)
    {
        switch (opcode)
        {
            case '\x80': // PROTO
                if (Byte() is < 2 or > 5)
                    throw Damaged("its protocol is unknown");
                break;
            case '\x95': // FRAME
                Take(8);
                break;
            case '(':
                marks.Add(stack.Count);
                break;
            case '0':
                Pop();
                break;
            case 'N':
                stack.Add(null);
                break;
            case '\x88':
                stack.Add(true);
                break;
            case '\x89':
                stack.Add(false);
                break;
            case 'K' or 'M' or 'J' or '\x8A' or 'G':
                stack.Add(Number(opcode));
                break;
            case 'X' or '\x8C' or '\x8D' or 'U' or 'T':
                stack.Add(Text(opcode));
                break;
            case ')':
                stack.Add(new PickleTuple([]));
                break;
            case '\x85' or '\x86' or '\x87':
                stack.Add(new PickleTuple(PopMany(opcode - '\x84')));
                break;
            case 't':
                stack.Add(new PickleTuple(PopToMark()));
                break;
            case ']':
                stack.Add(new List<object?>());
                break;
            case 'l':
                stack.Add(PopToMark());
                break;
            case 'a' or 'e':
                var items = opcode == 'a' ? PopMany(1) : PopToMark();
                (Peek() as List<object?> ?? throw Damaged("it appends to what is no list")).AddRange(items);
                break;
            case '}':
                stack.Add(new PickleDictionary());
                break;
            case 's' or 'u':
                SetItems(opcode == 's' ? PopMany(2) : PopToMark());
                break;
            case 'q' or 'r' or '\x94':
                var key = opcode switch { 'q' => Byte(), 'r' => (long)BinaryPrimitives.ReadUInt32LittleEndian(Take(4)), _ => memo.Count };
                memo[key] = Peek();
                break;
            case 'h' or 'j':
                var known = opcode == 'h' ? Byte() : (long)BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                stack.Add(memo.TryGetValue(known, out var value) ? value : throw Damaged("it refers to what it has not made"));
                break;
            case 'c':
                stack.Add(Global(Line(), Line()));
                break;
            case '\x93':
                var name = Pop() as string;
                stack.Add(Global(Pop() as string ?? "", name ?? ""));
                break;
            case 'R' or '\x81': // REDUCE, NEWOBJ
                var arguments = Pop() as PickleTuple ?? throw Damaged("it calls with what is no tuple");
                stack.Add(call(Pop() as PickleGlobal ?? throw Damaged("it calls what is no name"), arguments.Items));
                break;
            case 'b': // BUILD: attributes of a dictionary (_metadata) or a parameter; none holds a tensor.
                Pop();
                Peek();
                break;
            case 'Q':
                stack.Add(load(Pop()));
                break;
            default:
                throw Damaged($"it has the opcode 0x{(int)opcode:X2}, which tensors do not need");
        }
    }

    private object Number(char opcode)
    {
        switch (opcode)
        {
            case 'K':
                return (long)Byte();
            case 'M':
                return (long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2));
            case 'J':
                return (long)BinaryPrimitives.ReadInt32LittleEndian(Take(4));
            case 'G':
                return BinaryPrimitives.ReadDoubleBigEndian(Take(8));
            default:
                var length = Byte();
                if (length > sizeof(long))
                    throw Damaged("it has a number of more than 64 bits");
                var bytes = Take(length);
                var number = length > 0 && (bytes[^1] & 0x80) != 0 ? -1L : 0L;
                for (var i = length - 1; i >= 0; i--)
                    number = (number << 8) | bytes[i];
                return number;
        }
    }

    private string Text(char opcode)
    {
        var length = opcode switch
        {
            '\x8C' or 'U' => Byte(),
            '\x8D' => BinaryPrimitives.ReadInt64LittleEndian(Take(8)),
            _ => BinaryPrimitives.ReadUInt32LittleEndian(Take(4)),
        };
        if (length < 0 || length > data.Length - at)
            throw Damaged("it ends early");
        return Encoding.UTF8.GetString(Take((int)length));
    }

    private PickleGlobal Global(string module, string name)
    {
        var global = new PickleGlobal(module, name);
        return isAllowed(global)
            ? global
            : throw new WeftException($"{file}: the pickle asks for '{Printable.Of(global.ToString())}', which tensors do not need; refused");
    }

    private void SetItems(List<object?> items)
    {
        if (Peek() is not PickleDictionary dictionary || items.Count % 2 != 0)
            throw Damaged("it sets items of what is no dictionary");
        for (var i = 0; i < items.Count; i += 2)
        {
            if (items[i] is string key)
                dictionary.Items[key] = items[i + 1];
        }
    }

    private byte Byte() => at < data.Length ? data[at++] : throw Damaged("it ends early");

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > data.Length - at)
            throw Damaged("it ends early");
        at += length;
        return data.AsSpan(at - length, length);
    }

    private string Line()
    {
        var length = data.AsSpan(at).IndexOf((byte)'\n');
        if (length < 0)
            throw Damaged("it ends early");
        var text = Encoding.UTF8.GetString(Take(length));
        at++;
        return text;
    }

    private object? Peek() => stack.Count > Floor ? stack[^1] : throw Damaged("its stack runs empty");

    private int Floor => marks.Count > 0 ? marks[^1] : 0;

    private object? Pop() => PopMany(1)[0];

    private List<object?> PopMany(int count)
    {
        if (stack.Count - Floor < count)
            throw Damaged("its stack runs empty");
        var items = stack.GetRange(stack.Count - count, count);
        stack.RemoveRange(stack.Count - count, count);
        return items;
    }

    private List<object?> PopToMark()
    {
        if (marks.Count == 0)
            throw Damaged("its stack runs empty");
        var items = PopMany(stack.Count - Floor);
        marks.RemoveAt(marks.Count - 1);
        return items;
    }

    private WeftException Damaged(string what) => new($"{file}: the pickle is damaged: {what}");
}
