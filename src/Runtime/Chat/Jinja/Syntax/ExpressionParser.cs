using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>
/// Reads expressions with jinja2's precedence, from the loosest: inline if, or, and, not, comparisons, + and -, ~, the products, **,
/// signs, then filters, tests, items and calls. Unlike Python's, ** groups to the left, and a sign binds tighter than it.
/// </summary>
internal sealed class ExpressionParser(ParserState state)
{
    /// <summary>Reads an expression.</summary>
    /// <param name="allowConditional">Whether an inline if may follow; the iterable of a for cannot have one, as its if means the test.</param>
    public Expression Read(bool allowConditional = true)
    {
        state.Enter();
        var expression = allowConditional ? ReadConditional() : ReadOr();
        state.Leave();
        return expression;
    }

    /// <summary>Reads one expression, or several with commas between as a tuple.</summary>
    /// <param name="allowConditional">Whether inline ifs may be among them.</param>
    /// <param name="isParenthesized">Whether it stands in parentheses and so may be empty.</param>
    public Expression ReadTuple(bool allowConditional = true, bool isParenthesized = false)
    {
        var items = new List<Expression>();
        var isTuple = false;
        while (!EndsTuple())
        {
            items.Add(Read(allowConditional));
            if (!state.TrySkip(","))
                break;
            isTuple = true;
        }

        if (items.Count == 0 && !isParenthesized)
            state.Unexpected("an expression");
        return isTuple || items.Count == 0 ? new SequenceExpression(items, isTuple: true) : items[0];
    }

    /// <summary>Reads the filters that follow a block's name: the first without <c>|</c> before it.</summary>
    public FilterExpression ReadBlockFilters()
    {
        FilterExpression? filter = null;
        do
            filter = ReadFilter(filter);
        while (state.TrySkip("|"));
        return filter;
    }

    private bool EndsTuple() =>
        state.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || state.Current.IsOperator(")") || state.Current.IsName("recursive");

    private Expression ReadConditional()
    {
        var line = state.Current.Line;
        var missed = state.Missed;
        var expression = ReadOr();
        for (var chain = 1; state.TrySkipName("if"); chain++)
        {
            state.CheckChain(chain);
            var test = ReadOr();
            var otherwise = state.TrySkipName("else") ? Read() : null;
            expression = new ConditionalExpression(test, expression, otherwise, line);
            state.Forgive(missed);
        }

        return expression;
    }

    private Expression ReadOr() => ReadLogical("or", () => ReadLogical("and", ReadNot));

    private Expression ReadLogical(string name, Func<Expression> readOperand)
    {
        var left = readOperand();
        for (var chain = 1; state.TrySkipName(name); chain++)
        {
            state.CheckChain(chain);
            left = new LogicalExpression(left, readOperand(), isAnd: name == "and");
        }

        return left;
    }

    private Expression ReadNot()
    {
        if (!state.TrySkipName("not"))
            return ReadComparison();
        state.Enter();
        var expression = new NotExpression(ReadNot());
        state.Leave();
        return expression;
    }

    private Expression ReadComparison()
    {
        var first = ReadSum();
        var rest = new List<(string, Expression)>();
        while (ComparisonOperator() is { } name)
            rest.Add((name, ReadSum()));
        return rest.Count == 0 ? first : new CompareExpression(first, rest);
    }

    private string? ComparisonOperator()
    {
        if (state.Current is { Kind: TokenKind.Operator, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" } || state.Current.IsName("in"))
            return state.Take().Text;
        if (!state.Current.IsName("not") || !state.Following.IsName("in"))
            return null;
        state.Take();
        state.Take();
        return "not in";
    }

    private Expression ReadSum()
    {
        var left = ReadConcat();
        for (var chain = 1; state.Current is { Kind: TokenKind.Operator, Text: "+" or "-" }; chain++)
        {
            state.CheckChain(chain);
            left = new BinaryExpression(state.Take().Text == "+" ? Arithmetic.Add : Arithmetic.Subtract, left, ReadConcat());
        }

        return left;
    }

    private Expression ReadConcat()
    {
        var parts = new List<Expression> { ReadProduct() };
        while (state.TrySkip("~"))
            parts.Add(ReadProduct());
        return parts.Count == 1 ? parts[0] : new ConcatExpression(parts);
    }

    private Expression ReadProduct()
    {
        var left = ReadPower();
        for (var chain = 1; state.Current is { Kind: TokenKind.Operator, Text: "*" or "/" or "//" or "%" }; chain++)
        {
            state.CheckChain(chain);
            Func<Value, Value, RenderState, Value> operation = state.Take().Text switch
            {
                "*" => Arithmetic.Multiply,
                "/" => Arithmetic.Divide,
                "//" => Arithmetic.FloorDivide,
                _ => Arithmetic.Modulo,
            };
            left = new BinaryExpression(operation, left, ReadPower());
        }

        return left;
    }

    private Expression ReadPower()
    {
        var left = ReadUnary(withFilters: true);
        for (var chain = 1; state.TrySkip("**"); chain++)
        {
            state.CheckChain(chain);
            left = new BinaryExpression(Arithmetic.Power, left, ReadUnary(withFilters: true));
        }

        return left;
    }

    // A sign belongs to what stands before the first filter: -1|abs is (-1)|abs.
    private Expression ReadUnary(bool withFilters)
    {
        var expression = state.Current is { Kind: TokenKind.Operator, Text: "-" or "+" } ? ReadSign() : ReadPrimary();
        return ReadSuffixes(expression, withFilters);
    }

    private UnaryExpression ReadSign()
    {
        state.Enter();
        Func<Value, RenderState, Value> operation = state.Take().Text == "-" ? Arithmetic.Negate : Arithmetic.Plus;
        var expression = new UnaryExpression(operation, ReadUnary(withFilters: false));
        state.Leave();
        return expression;
    }

    private Expression ReadPrimary()
    {
        var token = state.Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new LiteralExpression(BoolValue.True),
                    "false" or "False" => new LiteralExpression(BoolValue.False),
                    "none" or "None" => new LiteralExpression(NoneValue.Instance),
                    var name => new NameExpression(state.Refer(name)),
                };
            case TokenKind.String:
                return new LiteralExpression(new StringValue(ReadAdjacentStrings(token.Text)));
            case TokenKind.Integer:
                return new LiteralExpression(ParseInteger(token));
            case TokenKind.Float:
                return new LiteralExpression(new FloatValue(double.Parse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture)));
            case TokenKind.Operator when token.Text == "(":
                var tuple = ReadTuple(isParenthesized: true);
                state.Skip(")");
                return tuple;
            case TokenKind.Operator when token.Text == "[":
                return new SequenceExpression(ReadItems("]", () => Read()), isTuple: false);
            case TokenKind.Operator when token.Text == "{":
                return new DictExpression(ReadItems("}", ReadEntry));
            default:
                throw TemplateSyntax.Failure(token.Line, $"an expression is expected, but {token.Describe()} follows");
        }
    }

    private string ReadAdjacentStrings(string first)
    {
        if (state.Current.Kind != TokenKind.String)
            return first;
        var text = new System.Text.StringBuilder(first);
        while (state.Current.Kind == TokenKind.String)
            text.Append(state.Take().Text);
        return text.ToString();
    }

    private static IntValue ParseInteger(Token token)
    {
        var text = token.Text;
        var radix = text.Length < 2 ? 10 : char.ToLowerInvariant(text[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 };
        Int128 number = 0;
        try
        {
            foreach (var digit in radix == 10 ? text : text[2..])
                number = checked((number * radix) + Convert.ToInt32(digit.ToString(), 16));
        }
        catch (OverflowException)
        {
            TemplateSyntax.Fail(token.Line, $"the number {text} has more than 128 bits");
        }

        return new(number);
    }

    private List<T> ReadItems<T>(string close, Func<T> readItem)
    {
        var items = new List<T>();
        while (!state.TrySkip(close))
        {
            if (items.Count > 0)
                state.Skip(",");
            if (state.TrySkip(close))
                break;
            items.Add(readItem());
        }

        return items;
    }

    private KeyValuePair<Expression, Expression> ReadEntry()
    {
        var key = Read();
        state.Skip(":");
        return new(key, Read());
    }

    private Expression ReadSuffixes(Expression expression, bool withFilters)
    {
        for (var chain = 1; ; chain++)
        {
            state.CheckChain(chain);
            if (state.TrySkip("."))
                expression = ReadAttribute(expression);
            else if (state.TrySkip("["))
                expression = ReadItem(expression);
            else if (state.TrySkip("("))
                expression = new CallExpression(expression, ReadArguments());
            else if (withFilters && state.TrySkip("|"))
                expression = ReadFilter(expression);
            else if (withFilters && state.TrySkipName("is"))
                expression = ReadTest(expression);
            else
                return expression;
        }
    }

    private Expression ReadAttribute(Expression value)
    {
        var token = state.Take();
        if (token.Kind == TokenKind.Name)
            return new AttributeExpression(value, token.Text);
        if (token.Kind == TokenKind.Integer)
            return new ItemExpression(value, new LiteralExpression(ParseInteger(token)));
        throw TemplateSyntax.Failure(token.Line, $"a name is expected after '.', but {token.Describe()} follows");
    }

    private Expression ReadItem(Expression value)
    {
        var key = ReadPart();
        if (key is not null && !state.Current.IsOperator(":"))
        {
            var keys = new List<Expression> { key };
            while (state.TrySkip(","))
                keys.Add(Read());
            state.Skip("]");
            return new ItemExpression(value, keys.Count == 1 ? key : new SequenceExpression(keys, isTuple: true));
        }

        state.Skip(":");
        var stop = ReadPart();
        var step = state.TrySkip(":") ? ReadPart() : null;
        state.Skip("]");
        return new SliceExpression(value, key, stop, step);

        Expression? ReadPart() => state.Current.IsOperator(":") || state.Current.IsOperator("]") ? null : Read();
    }

    private ArgumentList ReadArguments()
    {
        var positional = new List<Expression>();
        var named = new List<KeyValuePair<string, Expression>>();
        var names = new HashSet<string>();
        Expression? star = null;
        Expression? doubleStar = null;
        ReadItems(")", () =>
        {
            var line = state.Current.Line;
            if (doubleStar is null && state.TrySkip("**"))
                return doubleStar = Read();
            if (star is null && doubleStar is null && state.TrySkip("*"))
                return star = Read();
            if (state.Current.Kind == TokenKind.Name && state.Following.IsOperator("=") && doubleStar is null)
            {
                var name = state.Take().Text;
                state.Skip("=");
                if (!names.Add(name))
                    TemplateSyntax.Fail(line, $"the argument '{name}' is given twice");
                named.Add(new(name, Read()));
                return named[^1].Value;
            }

            if (named.Count > 0 || star is not null || doubleStar is not null)
                TemplateSyntax.Fail(line, "a positional argument stands behind a named one");
            positional.Add(Read());
            return positional[^1];
        });
        return positional.Count + named.Count == 0 && star is null && doubleStar is null ? ArgumentList.None : new(positional, named, star, doubleStar);
    }

    private FilterExpression ReadFilter(Expression? value)
    {
        var (name, line) = ReadDottedName();
        if (!Filters.Exists(name))
            state.Miss(line, $"no filter is named '{name}'");
        return new(name, value, state.TrySkip("(") ? ReadArguments() : ArgumentList.None);
    }

    private Expression ReadTest(Expression value)
    {
        var isNot = state.TrySkipName("not");
        var (name, line) = ReadDottedName();
        if (!ValueTests.Exists(name))
            state.Miss(line, $"no test is named '{name}'");
        var test = new TestExpression(name, value, ReadTestArguments());
        return isNot ? new NotExpression(test) : test;
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
        var argument = ReadSuffixes(ReadPrimary(), withFilters: false);
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
