namespace Weft.Chat.Jinja;

/// <summary>What the parser knows where it stands: the next tokens, the frame, and how deep it is.</summary>
internal sealed class ParserState(List<Token> tokens)
{
    private readonly List<NameReference> references = [];
    private readonly List<WeftException> missing = [];
    private int position;
    private int depth;

    /// <summary>The token that is next.</summary>
    public Token Current => tokens[position];

    /// <summary>The token after it.</summary>
    public Token Following => tokens[Math.Min(position + 1, tokens.Count - 1)];

    /// <summary>The frame.</summary>
    public SymbolTable Table { get; set; } = new(null);

    /// <summary>Filters and tests read so far that do not exist.</summary>
    public int Missed => missing.Count;

    /// <summary>Loops that a <c>break</c> could end.</summary>
    public int Loops { get; set; }

    /// <summary>The macros around, from the outermost.</summary>
    public List<MacroUse> Macros { get; } = [];

    /// <summary>Takes the next token.</summary>
    public Token Take() => tokens[position < tokens.Count - 1 ? position++ : position];

    /// <summary>Takes the operator if it is next.</summary>
    public bool TrySkip(string text)
    {
        var isNext = Current.IsOperator(text);
        if (isNext)
            position++;
        return isNext;
    }

    /// <summary>Takes the name if it is next.</summary>
    public bool TrySkipName(string name)
    {
        var isNext = Current.IsName(name);
        if (isNext)
            position++;
        return isNext;
    }

    /// <summary>Takes the operator or refuses the template.</summary>
    public void Skip(string text)
    {
        if (!TrySkip(text))
            Unexpected($"'{text}'");
    }

    /// <summary>Takes a token of that kind or refuses the template.</summary>
    public Token Take(TokenKind kind, string wanted)
    {
        if (Current.Kind != kind)
            Unexpected(wanted);
        return Take();
    }

    /// <summary>Reads items with commas between, one of which may be the last, up to a closing bracket.</summary>
    public List<T> ReadItems<T>(string close, Func<T> readItem)
    {
        var items = new List<T>();
        while (!TrySkip(close))
        {
            if (items.Count > 0)
                Skip(",");
            if (TrySkip(close))
                break;
            items.Add(readItem());
        }

        return items;
    }

    /// <summary>Refuses the template because another token should be next.</summary>
    public void Unexpected(string wanted) => TemplateSyntax.Fail(Current.Line, $"{wanted} is expected, but {Current.Describe()} follows");

    /// <summary>Goes a level deeper; <see cref="Leave"/> undoes it.</summary>
    public void Enter()
    {
        CheckDepth(++depth);
        if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack())
            CheckDepth(int.MaxValue);
    }

    /// <summary>Goes a level back.</summary>
    public void Leave() => depth--;

    /// <summary>Refuses a chain of operators, each of which holds the one before it, when it nests too deep.</summary>
    public void CheckChain(int length) => CheckDepth(depth + length);

    /// <summary>Notes a reading of a name here.</summary>
    public NameReference Refer(string name)
    {
        Table.Load(name);
        foreach (var macro in Macros)
            macro.Note(name);
        var reference = new NameReference(name, Table);
        references.Add(reference);
        return reference;
    }

    /// <summary>Notes a filter or test that does not exist.</summary>
    public void Miss(int line, string reason) => missing.Add(TemplateSyntax.Failure(line, reason));

    /// <summary>Forgets those noted since <see cref="Missed"/> had that value: they stand where they may never run, and fail only when they do.</summary>
    public void Forgive(int missed) => missing.RemoveRange(missed, missing.Count - missed);

    /// <summary>Refuses the template if there are any since: jinja2 forgives them only directly inside an if.</summary>
    public void RefuseMissing(int missed)
    {
        if (missing.Count > missed)
            throw missing[missed];
    }

    /// <summary>Decides where every name lives, and refuses the template if a filter or test is missing.</summary>
    public void Complete()
    {
        RefuseMissing(0);
        foreach (var reference in references)
            reference.Bind();
    }

    private void CheckDepth(int reached)
    {
        if (reached > TemplateSyntax.DeepestNesting)
            TemplateSyntax.Fail(Current.Line, $"it nests deeper than {TemplateSyntax.DeepestNesting} levels");
    }
}

/// <summary>Which of the names that every macro is given its body asks for.</summary>
internal sealed class MacroUse
{
    /// <summary>The body of the call block that called the macro.</summary>
    public bool Caller { get; private set; }

    /// <summary>Positional arguments without a parameter.</summary>
    public bool VarArgs { get; private set; }

    /// <summary>Named arguments without a parameter.</summary>
    public bool KwArgs { get; private set; }

    /// <summary>Notes that the body reads a name.</summary>
    public void Note(string name)
    {
        Caller |= name == "caller";
        VarArgs |= name == "varargs";
        KwArgs |= name == "kwargs";
    }
}
