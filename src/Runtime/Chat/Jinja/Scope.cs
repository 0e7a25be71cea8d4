namespace Weft.Chat.Jinja;

/// <summary>The values of a frame while it runs; null where nothing is stored yet.</summary>
internal sealed class Scope
{
    /// <summary>Opens a scope inside <paramref name="parent"/>.</summary>
    public Scope(RenderState state, Scope? parent, SymbolTable table)
    {
        state.Budget.Elements(table.Size);
        State = state;
        Parent = parent;
        Slots = new Value?[table.Size];
    }

    /// <summary>The rendering that it belongs to.</summary>
    public RenderState State { get; }

    /// <summary>The scope around it.</summary>
    public Scope? Parent { get; }

    /// <summary>Values by slot.</summary>
    public Value?[] Slots { get; }

    /// <summary>Opens a scope inside this one.</summary>
    public Scope Open(SymbolTable table) => new(State, this, table);
}
