namespace Weft.Chat.Jinja;

/// <summary>Reads filters and tests, and the arguments that they and calls are given.</summary>
internal sealed class FilterParser(ParserState state, ExpressionParser expressions)
{
    /// <summary>Reads the filters that follow a block's name: the first without <c>|</c> before it.</summary>
    /// <summary>Reads the filters that follow a block's name: the first without <c>|</c> before it.</summary>
    public FilterExpression ReadBlockFilters()
    {
        FilterExpression? filter = null;
        do
            filter = ReadFilter(filter);
        while (state.TrySkip("|"));
        return filter;
    }

    /// <summary>Reads what follows <c>|</c>.</summary>
    public FilterExpression ReadFilter(Expression? value)
    {
        var (name, line) = ReadDottedName();
        if (!Filters.Exists(name))
            state.Miss(line, $"no filter is named '{name}'");
        return new(name, value, state.TrySkip("(") ? ReadArguments() : ArgumentList.None);
    }

    /// <summary>Reads what follows <c>is</c>.</summary>
    public Expression ReadTest(Expression value)
    {
        var isNot = state.TrySkipName("not");
        var (name, line) = ReadDottedName();
        if (!ValueTests.Exists(name))
            state.Miss(line, $"no test is named '{name}'");
        var test = new TestExpression(name, value, ReadTestArguments());
        return isNot ? new NotExpression(test) : test;
    }

    /// <summary>Reads what follows an opening parenthesis.</summary>
    public ArgumentList ReadArguments()
    {
        var positional = new List<Expression>();
        var named = new List<KeyValuePair<string, Expression>>();
        var names = new HashSet<string>();
        Expression? star = null;
        Expression? doubleStar = null;
        state.ReadItems(")", () =>
        {
            var line = state.Current.Line;
            if (doubleStar is null && state.TrySkip("**"))
                return doubleStar = expressions.Read();
            if (star is null && doubleStar is null && state.TrySkip("*"))
                return star = expressions.Read();
            if (state.Current.Kind == TokenKind.Name && state.Following.IsOperator("=") && doubleStar is null)
            {
                var name = state.Take().Text;
                state.Skip("=");
                if (!names.Add(name))
                    TemplateSyntax.Fail(line, $"the argument '{name}' is given twice");
                named.Add(new(name, expressions.Read()));
                return named[^1].Value;
            }

            if (named.Count > 0 || star is not null || doubleStar is not null)
                TemplateSyntax.Fail(line, "a positional argument stands behind a named one");
            positional.Add(expressions.Read());
            return positional[^1];
        });
        return positional.Count + named.Count == 0 && star is null && doubleStar is null ? ArgumentList.None : new(positional, named, star, doubleStar);
    }

    // A single argument needs no parentheses: x is divisibleby 3.
    private ArgumentList ReadTestArguments()
    {
        if (state.TrySkip("("))
            return ReadArguments();
        var isArgument = state.Current.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float ||
            state.Current.IsOperator("[") || state.Current.IsOperator("{");
        if (!isArgument || state.Current is { Kind: TokenKind.Name, Text: "else" or "or" or "and" })
            return ArgumentList.None;
        if (state.Current.IsName("is"))
            TemplateSyntax.Fail(state.Current.Line, "tests cannot be chained with 'is'");
        state.Enter();
        var argument = expressions.ReadOperand();
        state.Leave();
        return new([argument], [], null, null);
    }

    private (string Name, int Line) ReadDottedName()
    {
        var token = state.Take(TokenKind.Name, "a name");
        var parts = new List<string> { token.Text };
        while (state.TrySkip("."))
            parts.Add(state.Take(TokenKind.Name, "a name").Text);
        return (string.Join('.', parts), token.Line);
    }
}
