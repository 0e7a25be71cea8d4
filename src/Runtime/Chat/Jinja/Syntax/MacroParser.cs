namespace Weft.Chat.Jinja;

/// <summary>Reads up to one of the end tags, of which it gives the name.</summary>
internal delegate (Block Body, string End) BodyReader(params ReadOnlySpan<string> ends);

/// <summary>Reads macros, call blocks and generation blocks: bodies that run like a function.</summary>
internal sealed class MacroParser(ParserState state, ExpressionParser expressions, BodyReader readBody)
{
    /// <summary>Reads what follows <c>macro</c>.</summary>
    public MacroStatement ReadMacro(int line)
    {
        var name = state.Take(TokenKind.Name, "the macro's name").Text;
        var slot = state.Table.Store(name);
        state.Skip("(");
        return new(line, slot, ReadDefinition(name, line, hasParameters: true, () => { }, "endmacro"));
    }

    /// <summary>Reads what follows <c>call</c>.</summary>
    public CallStatement ReadCall(int line)
    {
        CallExpression? call = null;
        var body = ReadDefinition(null, line, state.TrySkip("("), () => call = expressions.Read() as CallExpression, "endcall");
        if (call is null)
            TemplateSyntax.Fail(line, "a call is expected after 'call'");
        return new(line, call!, body);
    }

    /// <summary>Reads what follows <c>generation</c>. Its text is what a model is trained on; here it is only text, with names of its own.</summary>
    public ScopeStatement ReadGeneration(int line)
    {
        var table = new SymbolTable(state.Table);
        return new(line, table, [], ReadFunction(table, "endgeneration"));
    }

    private MacroDefinition ReadDefinition(string? name, int line, bool hasParameters, Action readCall, string end)
    {
        var (outer, use) = (state.Table, new MacroUse());
        var table = state.Table = new(outer);
        var parameters = hasParameters ? ReadParameters(table) : [];
        state.Table = outer;
        readCall();
        state.Macros.Add(use);
        var body = ReadFunction(table, end);
        state.Macros.RemoveAt(state.Macros.Count - 1);
        var caller = parameters.FirstOrDefault(parameter => parameter.Name == "caller");
        if (use.Caller && caller is { Default: null })
            TemplateSyntax.Fail(line, "a parameter named 'caller' must have a default");
        return new()
        {
            Name = name,
            Table = table,
            Parameters = parameters,
            CallerSlot = use.Caller && caller is null ? table.Parameter("caller") : null,
            HasCallerParameter = caller is not null,
            VarArgsSlot = use.VarArgs && !Has("varargs") ? table.Parameter("varargs") : null,
            KwArgsSlot = use.KwArgs && !Has("kwargs") ? table.Parameter("kwargs") : null,
            Body = body,
        };

        bool Has(string parameter) => parameters.Any(other => other.Name == parameter);
    }

    private Block ReadFunction(SymbolTable table, string end)
    {
        var (outer, loops, missed) = (state.Table, state.Loops, state.Missed);
        (state.Table, state.Loops) = (table, 0);
        var (body, _) = readBody(end);
        (state.Table, state.Loops) = (outer, loops);
        state.RefuseMissing(missed);
        return body;
    }

    private List<MacroParameter> ReadParameters(SymbolTable table)
    {
        var parameters = new List<MacroParameter>();
        var names = new HashSet<string>();
        while (!state.TrySkip(")"))
        {
            if (parameters.Count > 0)
                state.Skip(",");
            var token = state.Take(TokenKind.Name, "a parameter");
            if (!names.Add(token.Text))
                TemplateSyntax.Fail(token.Line, $"two parameters are named '{token.Text}'");
            var slot = table.Parameter(token.Text);
            var value = state.TrySkip("=") ? expressions.Read() : null;
            if (value is null && parameters.Count > 0 && parameters[^1].Default is not null)
                TemplateSyntax.Fail(token.Line, $"the parameter '{token.Text}' has no default, but the one before it has");
            parameters.Add(new(token.Text, slot, value));
        }

        return parameters;
    }
}
