namespace Weft.Chat.Jinja;

/// <summary>
/// The names of one frame: the template, or the body of a loop, macro, call, filter, with or block set. jinja2 decides while compiling
/// where a name lives, and the decisions show: a name that a frame stores before it reads it never comes from the template's variables
/// in that frame or an inner one, even where the reading runs first. An <c>if</c> has no frame of its own; as its branches may not
/// run, what they store first can still come from the variables.
/// </summary>
internal sealed class SymbolTable(SymbolTable? parent)
{
    private readonly Dictionary<string, Symbol> symbols = [];
    private int slots;

    /// <summary>What a name is where nothing was stored under it yet.</summary>
    private enum Origin
    {
        /// <summary>A variable of the template.</summary>
        Variable,

        /// <summary>Undefined, even where a variable of the template has the name.</summary>
        Nothing,

        /// <summary>Always stored when the frame is entered.</summary>
        Parameter,
    }

    /// <summary>The frame around this one.</summary>
    public SymbolTable? Parent => parent;

    /// <summary>Values that a scope of this frame holds.</summary>
    public int Size => slots;

    /// <summary>Branches of ifs around the place that is read.</summary>
    public int Branches { get; set; }

    /// <summary>Notes that the name is read.</summary>
    public void Load(string name) => symbols.TryAdd(name, new(Origin.Variable, null));

    /// <summary>Notes that the name is stored; returns its slot.</summary>
    public int Store(string name)
    {
        var origin = symbols.TryGetValue(name, out var symbol) ? symbol.Origin : Branches > 0 ? Origin.Variable : Origin.Nothing;
        return Give(name, origin);
    }

    /// <summary>Notes that the frame is entered with a value of that name; returns its slot.</summary>
    public int Parameter(string name) => Give(name, Origin.Parameter);

    /// <summary>Where a reading of the name in this frame looks, in order. To be asked when the whole template is read.</summary>
    public Binding Bind(string name)
    {
        var places = new List<Place>();
        var isVariable = true;
        var hops = 0;
        for (var table = this; table is not null; table = table.Parent, hops++)
        {
            if (!table.symbols.TryGetValue(name, out var symbol))
                continue;
            if (symbol.Slot is { } slot)
                places.Add(new(hops, slot));
            // What an outer frame knows begins with its value there; the outermost frame that knows it decides.
            isVariable = symbol.Origin == Origin.Variable;
            if (symbol.Origin == Origin.Parameter)
                break;
        }

        return new(name, [.. places], isVariable);
    }

    private int Give(string name, Origin origin)
    {
        var slot = symbols.TryGetValue(name, out var symbol) && symbol.Slot is { } given ? given : slots++;
        symbols[name] = new(origin, slot);
        return slot;
    }

    private readonly record struct Symbol(Origin Origin, int? Slot);
}
