namespace Weft.Chat.Jinja;

/// <summary>A template that is ready to run.</summary>
internal sealed record Template(Block Body, SymbolTable Table);

/// <summary>Reads templates: text, output and statements.</summary>
internal sealed class TemplateParser
{
    private readonly ParserState state;
    private readonly ExpressionParser expressions;
    private readonly FilterParser filters;
    private readonly TargetParser targets;
    private readonly MacroParser macros;

    private TemplateParser(string source)
    {
        state = new(Lexer.Read(source));
        expressions = new(state);
        filters = new(state, expressions);
        targets = new(state);
        macros = new(state, expressions, ReadBody);
    }

    /// <summary>Reads a template.</summary>
    /// <exception cref="WeftException">It cannot be read; the message says where and why.</exception>
    public static Template Parse(string source)
    {
        var parser = new TemplateParser(source);
        var body = parser.ReadBlock([]);
        parser.state.Complete();
        return new(body, parser.state.Table);
    }

    // Reads up to one of the end tags, and takes its name but not what follows it.
    private (Block Body, string End) ReadBody(params ReadOnlySpan<string> ends)
    {
        state.TrySkip(":");
        EndTag();
        state.Enter();
        var body = ReadBlock(ends);
        state.Leave();
        if (state.Current.Kind == TokenKind.End)
            state.Unexpected($"'{{% {string.Join(" %}' or '{% ", ends!)} %}}'");
        return (body, state.Take().Text);
    }

    private void EndTag() => state.Take(TokenKind.BlockEnd, "'%}'");

    private Block ReadBlock(ReadOnlySpan<string> ends)
    {
        var statements = new List<Statement>();
        while (state.Current.Kind != TokenKind.End)
        {
            var token = state.Take();
            switch (token.Kind)
            {
                case TokenKind.Text:
                    statements.Add(new TextStatement(token.Line, token.Text));
                    break;
                case TokenKind.VariableBegin:
                    statements.Add(new OutputStatement(token.Line, [expressions.ReadTuple()]));
                    state.Take(TokenKind.VariableEnd, "'}}'");
                    break;
                default:
                    if (state.Current.Kind == TokenKind.Name && ends.Contains(state.Current.Text))
                        return new(statements);
                    statements.Add(ReadStatement());
                    EndTag();
                    break;
            }
        }

        return new(statements);
    }

    private Statement ReadStatement()
    {
        var token = state.Take(TokenKind.Name, "the name of a tag");
        switch (token.Text)
        {
            case "if":
                return ReadIf(token.Line);
            case "for":
                return ReadFor(token.Line);
            case "set":
                return ReadSet(token.Line);
            case "with":
                return ReadWith(token.Line);
            case "filter":
                return ReadFilter(token.Line);
            case "macro":
                return macros.ReadMacro(token.Line);
            case "call":
                return macros.ReadCall(token.Line);
            case "generation":
                return macros.ReadGeneration(token.Line);
            case "print":
                return ReadPrint(token.Line);
            case "break" or "continue":
                if (state.Loops == 0)
                    TemplateSyntax.Fail(token.Line, $"'{token.Text}' stands outside of a loop");
                return new JumpStatement(token.Line, token.Text == "break" ? Flow.Break : Flow.Continue);
            default:
                throw TemplateSyntax.Failure(token.Line, $"no tag is named '{token.Text}'");
        }
    }

    private IfStatement ReadIf(int line)
    {
        var missed = state.Missed;
        var branches = new List<(Expression, Block)>();
        string end;
        do
        {
            var test = expressions.ReadTuple(allowConditional: false);
            state.Table.Branches++;
            (var body, end) = ReadBody("elif", "else", "endif");
            state.Table.Branches--;
            branches.Add((test, body));
        }
        while (end == "elif");
        state.Table.Branches++;
        var otherwise = end == "else" ? ReadBody("endif").Body : new Block([]);
        state.Table.Branches--;
        state.Forgive(missed);
        return new(line, branches, otherwise);
    }

    private ForStatement ReadFor(int line)
    {
        var outer = state.Table;
        var pattern = targets.Read(allowAttributes: false);
        if (!state.TrySkipName("in"))
            state.Unexpected("'in'");
        var iterable = expressions.ReadTuple(allowConditional: false, end: "recursive");
        var missed = state.Missed;
        var testFrame = new LoopFrame(new(outer), null!);
        testFrame = testFrame with { Target = pattern.Bind(testFrame.Table, isParameter: true) };
        state.Table = testFrame.Table;
        var test = state.TrySkipName("if") ? expressions.Read() : null;
        var isRecursive = state.TrySkipName("recursive");
        var table = new SymbolTable(outer);
        var target = pattern.Bind(table, isParameter: true);
        var loopSlot = table.Parameter("loop");
        state.Table = table;
        state.Loops++;
        var (body, end) = ReadBody("endfor", "else");
        state.Loops--;
        state.Table = new(outer);
        var elseTable = state.Table;
        var otherwise = end == "else" ? ReadBody("endfor").Body : new Block([]);
        state.Table = outer;
        state.RefuseMissing(missed);
        return new(line)
        {
            Iterable = iterable,
            Frame = new(table, target),
            LoopSlot = loopSlot,
            TestFrame = testFrame,
            Test = test,
            IsRecursive = isRecursive,
            Body = body,
            ElseTable = elseTable,
            Else = otherwise,
        };
    }

    private Statement ReadSet(int line)
    {
        var pattern = targets.Read(allowAttributes: true);
        if (state.TrySkip("="))
        {
            var value = expressions.ReadTuple();
            return new SetStatement(line, pattern.Bind(state.Table, isParameter: false), value);
        }

        var filter = state.TrySkip("|") ? filters.ReadBlockFilters() : null;
        var target = pattern.Bind(state.Table, isParameter: false);
        var table = new SymbolTable(state.Table);
        return new SetBlockStatement(line, target, table, filter, ReadInner(table, "endset"));
    }

    private ScopeStatement ReadWith(int line)
    {
        var table = new SymbolTable(state.Table);
        var values = new List<(Target, Expression)>();
        while (state.Current.Kind != TokenKind.BlockEnd)
        {
            if (values.Count > 0)
                state.Skip(",");
            var target = targets.Read(allowAttributes: false).Bind(table, isParameter: true);
            state.Skip("=");
            values.Add((target, expressions.Read()));
        }

        return new(line, table, values, ReadInner(table, "endwith"));
    }

    private OutputStatement ReadPrint(int line)
    {
        var values = new List<Expression>();
        while (state.Current.Kind != TokenKind.BlockEnd)
        {
            if (values.Count > 0)
                state.Skip(",");
            values.Add(expressions.Read());
        }

        return new(line, values);
    }

    private FilterStatement ReadFilter(int line)
    {
        var filter = filters.ReadBlockFilters();
        var table = new SymbolTable(state.Table);
        return new(line, table, filter, ReadInner(table, "endfilter"));
    }

    private Block ReadInner(SymbolTable table, string end)
    {
        var (outer, missed) = (state.Table, state.Missed);
        state.Table = table;
        var (body, _) = ReadBody(end);
        state.Table = outer;
        state.RefuseMissing(missed);
        return body;
    }
}
