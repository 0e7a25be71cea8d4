using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>Reads what operators stand between: literals, names and brackets, with the attributes, items and calls that follow them.</summary>
internal sealed class OperandParser(ParserState state, ExpressionParser expressions)
{
    private readonly FilterParser filters = new(state, expressions);

    /// <summary>Reads a literal, a name or what stands in brackets.</summary>
    public Expression ReadPrimary()
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
                var tuple = expressions.ReadTuple(isParenthesized: true);
                state.Skip(")");
                return tuple;
            case TokenKind.Operator when token.Text == "[":
                return new SequenceExpression(state.ReadItems("]", () => expressions.Read()), isTuple: false);
            case TokenKind.Operator when token.Text == "{":
                return new DictExpression(state.ReadItems("}", ReadEntry));
            default:
                throw TemplateSyntax.Failure(token.Line, $"an expression is expected, but {token.Describe()} follows");
        }
    }

    /// <summary>Reads attributes, items, calls, filters and tests that follow an expression.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="withFilters">Whether filters and tests may be among them.</param>
    public Expression ReadSuffixes(Expression expression, bool withFilters)
    {
        // Behind the first filter or test only further ones and calls may follow: x|list[0] is refused.
        var isFiltered = false;
        for (var chain = 1; ; chain++)
        {
            state.CheckChain(chain);
            if (!isFiltered && state.TrySkip("."))
                expression = ReadAttribute(expression);
            else if (!isFiltered && state.TrySkip("["))
                expression = ReadItem(expression);
            else if (state.TrySkip("("))
                expression = new CallExpression(expression, filters.ReadArguments());
            else if (withFilters && state.TrySkip("|"))
                (expression, isFiltered) = (filters.ReadFilter(expression), true);
            else if (withFilters && state.TrySkipName("is"))
                (expression, isFiltered) = (filters.ReadTest(expression), true);
            else
                return expression;
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
            TemplateSyntax.Fail(token.Line, "a number has more than 128 bits");
        }

        return new(number);
    }

    private KeyValuePair<Expression, Expression> ReadEntry()
    {
        var key = expressions.Read();
        state.Skip(":");
        return new(key, expressions.Read());
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
                keys.Add(expressions.Read());
            state.Skip("]");
            return new ItemExpression(value, keys.Count == 1 ? key : new SequenceExpression(keys, isTuple: true));
        }

        state.Skip(":");
        var stop = ReadPart();
        var step = state.TrySkip(":") ? ReadPart() : null;
        state.Skip("]");
        return new SliceExpression(value, key, stop, step);

        Expression? ReadPart() => state.Current.IsOperator(":") || state.Current.IsOperator("]") ? null : expressions.Read();
    }
}
