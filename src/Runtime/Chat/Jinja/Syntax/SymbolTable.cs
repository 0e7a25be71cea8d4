using Branch = System.Collections.Generic.Dictionary<string, Weft.Chat.Jinja.SymbolTable.Symbol>;

namespace Weft.Chat.Jinja;

/// <summary>
/// The names of one frame: the template, or the body of a loop, macro, call, filter, with or block set. jinja2 decides while compiling
/// where a name lives, and the decisions show: a name that a frame stores before it reads it never comes from the template's variables
/// in that frame or an inner one, even where the reading runs first. An <c>if</c> has no frame of its own, but its branches are
/// followed apart: what only some of them store can still come from the variables.
/// </summary>
internal sealed class SymbolTable(SymbolTable? parent)
{
    private readonly Dictionary<string, int> slots = [];
    private readonly Stack<Branch> branches = new([[]]);

    /// <summary>What a name is where nothing was stored under it yet.</summary>
    internal enum Origin
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
    public int Size => slots.Count;

    /// <summary>Notes that the name is read.</summary>
    public void Load(string name)
    {
        if (Find(name) is null)
            branches.Peek()[name] = new(Origin.Variable, Stored: false);
    }

    /// <summary>Notes that the name is stored; returns its slot.</summary>
    public int Store(string name)
    {
        if (Find(name) is not { Stored: true } symbol)
            branches.Peek()[name] = new(Find(name)?.Origin ?? Origin.Nothing, Stored: true);
        return Slot(name);
    }

    /// <summary>Notes that the frame is entered with a value of that name; returns its slot.</summary>
    public int Parameter(string name)
    {
        branches.Peek()[name] = new(Origin.Parameter, Stored: true);
        return Slot(name);
    }

    /// <summary>Begins a branch of an <c>if</c>.</summary>
    public void BeginBranch() => branches.Push([]);

    /// <summary>Ends it; the result is to be merged.</summary>
    public Branch EndBranch() => branches.Pop();

    /// <summary>Joins the three branches of an if: its body, all of its <c>elif</c> together, and its <c>else</c>.</summary>
    public void Merge(Branch body, Branch middle, Branch last)
    {
        foreach (var name in body.Keys.Concat(middle.Keys).Concat(last.Keys).ToHashSet())
        {
            var before = Find(name);
            var inBody = body.GetValueOrDefault(name) is { Stored: true };
            var inMiddle = middle.GetValueOrDefault(name) is { Stored: true };
            var inLast = last.GetValueOrDefault(name) is { Stored: true };
            // Stored whichever branch runs, the name is what the last branch takes it for.
            var origin = inBody && inMiddle && inLast ? last[name].Origin : Origin.Variable;
            branches.Peek()[name] = new(before?.Origin ?? origin, inBody || inMiddle || inLast || before is { Stored: true });
        }
    }

    /// <summary>Joins an elif: its body and nothing besides.</summary>
    public void Merge(Branch body) => Merge(body, [], []);

    /// <summary>Where a reading of the name in this frame looks, in order. To be asked when the whole template is read.</summary>
    public Binding Bind(string name)
    {
        var places = new List<Place>();
        var hops = 0;
        for (var table = this; table is not null; table = table.Parent, hops++)
        {
            if (table.Find(name) is not { } symbol)
                continue;
            if (symbol.Stored)
                places.Add(new(hops, table.slots[name]));
            if (symbol.Origin == Origin.Parameter)
                return new(name, [.. places], IsVariable: false);
            if (!table.IsKnownAbove(name))
                return new(name, [.. places], IsVariable: symbol.Origin == Origin.Variable);
        }

        return new(name, [], IsVariable: true);
    }

    private bool IsKnownAbove(string name)
    {
        for (var table = parent; table is not null; table = table.Parent)
        {
            if (table.Find(name) is not null)
                return true;
        }

        return false;
    }

    private Symbol? Find(string name)
    {
        foreach (var branch in branches)
        {
            if (branch.TryGetValue(name, out var symbol))
                return symbol;
        }

        return null;
    }

    private int Slot(string name)
    {
        if (!slots.TryGetValue(name, out var slot))
            slots.Add(name, slot = slots.Count);
        return slot;
    }

    /// <summary>What is known of a name.</summary>
    internal sealed record Symbol(Origin Origin, bool Stored);
}
