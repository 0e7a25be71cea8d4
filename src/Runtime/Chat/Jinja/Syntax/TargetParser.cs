namespace Weft.Chat.Jinja;

/// <summary>A target as it is written; a loop binds the same one in the frames of its body and of its test.</summary>
internal abstract record TargetPattern
{
    /// <summary>Finds the places of its names in a frame.</summary>
    public abstract Target Bind(SymbolTable table, bool isParameter);
}

/// <summary>A name.</summary>
internal sealed record NamePattern(string Name) : TargetPattern
{
    /// <inheritdoc/>
    public override Target Bind(SymbolTable table, bool isParameter) => new NameTarget(isParameter ? table.Parameter(Name) : table.Store(Name));
}

/// <summary>A value of a namespace.</summary>
internal sealed record NamespacePattern(NameReference Reference, string Name) : TargetPattern
{
    /// <inheritdoc/>
    public override Target Bind(SymbolTable table, bool isParameter) => new NamespaceTarget(Reference, Name);
}

/// <summary>Several targets.</summary>
internal sealed record TuplePattern(IReadOnlyList<TargetPattern> Items) : TargetPattern
{
    /// <inheritdoc/>
    public override Target Bind(SymbolTable table, bool isParameter) => new TupleTarget([.. Items.Select(item => item.Bind(table, isParameter))]);
}

/// <summary>Reads what for, set and with store into.</summary>
internal sealed class TargetParser(ParserState state)
{
    /// <summary>Reads one target, or several with commas between.</summary>
    /// <param name="allowAttributes">Whether values of namespaces are allowed.</param>
    public TargetPattern Read(bool allowAttributes)
    {
        var items = new List<TargetPattern>();
        var isTuple = false;
        while (items.Count == 0 || StartsTarget())
        {
            items.Add(ReadOne(allowAttributes));
            if (!state.TrySkip(","))
                break;
            isTuple = true;
        }

        return isTuple ? new TuplePattern(items) : items[0];
    }

    private bool StartsTarget() => (state.Current.Kind == TokenKind.Name && !state.Current.IsName("in")) || state.Current.IsOperator("(");

    private TargetPattern ReadOne(bool allowAttributes)
    {
        if (state.TrySkip("("))
        {
            state.Enter();
            var inner = Read(allowAttributes);
            state.Leave();
            state.Skip(")");
            return inner;
        }

        var token = state.Take(TokenKind.Name, "a name");
        if (token.Text is "true" or "True" or "false" or "False" or "none" or "None")
            TemplateSyntax.Fail(token.Line, $"nothing can be stored in '{token.Text}'");
        if (!allowAttributes || !state.TrySkip("."))
            return new NamePattern(token.Text);
        return new NamespacePattern(state.Refer(token.Text), state.Take(TokenKind.Name, "a name").Text);
    }
}
