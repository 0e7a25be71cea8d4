namespace Weft.Chat.Jinja;

/// <summary>
/// Reads expressions with jinja2's precedence, from the loosest: inline if, or, and, not, comparisons, + and -, ~, the products, **,
/// signs, then filters, tests, items and calls. Unlike Python's, ** groups to the left, and a sign binds tighter than it.
/// </summary>
internal sealed class ExpressionParser
{
    private readonly ParserState state;
    private readonly OperandParser operands;

    /// <summary>Reads from the parser's tokens.</summary>
    public ExpressionParser(ParserState state)
    {
        this.state = state;
        operands = new(state, this);
    }

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
    /// <param name="end">A name that ends it.</param>
    public Expression ReadTuple(bool allowConditional = true, bool isParenthesized = false, string? end = null)
    {
        var items = new List<Expression>();
        var isTuple = false;
        while (!EndsTuple(end))
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

    /// <summary>Reads an operand without operators, filters and tests.</summary>
    public Expression ReadOperand() => operands.ReadSuffixes(operands.ReadPrimary(), withFilters: false);

    private bool EndsTuple(string? end) => state.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || state.Current.IsOperator(")") ||
        (end is not null && state.Current.IsName(end));

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
        var expression = state.Current is { Kind: TokenKind.Operator, Text: "-" or "+" } ? ReadSign() : operands.ReadPrimary();
        return operands.ReadSuffixes(expression, withFilters);
    }

    private UnaryExpression ReadSign()
    {
        state.Enter();
        Func<Value, RenderState, Value> operation = state.Take().Text == "-" ? Arithmetic.Negate : Arithmetic.Plus;
        var expression = new UnaryExpression(operation, ReadUnary(withFilters: false));
        state.Leave();
        return expression;
    }
}
