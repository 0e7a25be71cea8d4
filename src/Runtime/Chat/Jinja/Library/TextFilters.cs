using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>Filters that make text.</summary>
internal static class TextFilters
{
    /// <summary>The filters by name.</summary>
    public static IReadOnlyDictionary<string, Filter> All { get; } = new Dictionary<string, Filter>
    {
        ["capitalize"] = (value, arguments, state) => Method(value, "capitalize", arguments.Bind("capitalize", 0), state),
        ["center"] = (value, arguments, state) => Method(value, "center", [arguments.Bind("center", 0, "width")[0] ?? new IntValue(80)], state),
        ["e"] = Escape,
        ["escape"] = Escape,
        ["forceescape"] = (value, arguments, state) => Html.EscapeText(Conversion.ToText(Bare(value, "forceescape", arguments), state).Text, state),
        ["format"] = Format,
        ["indent"] = Indent,
        ["lower"] = (value, arguments, state) => Method(value, "lower", arguments.Bind("lower", 0), state),
        ["replace"] = Replace,
        ["safe"] = (value, arguments, state) => new StringValue(Conversion.ToText(Bare(value, "safe", arguments), state).Text, isMarkup: true),
        ["string"] = (value, arguments, state) => Conversion.ToText(Bare(value, "string", arguments), state),
        ["title"] = (value, arguments, state) => Title(Conversion.ToText(Bare(value, "title", arguments), state), state),
        ["tojson"] = ToJson,
        ["trim"] = (value, arguments, state) => Method(value, "strip", [arguments.Bind("trim", 0, "chars")[0] ?? NoneValue.Instance], state),
        ["truncate"] = Truncate,
        ["upper"] = (value, arguments, state) => Method(value, "upper", arguments.Bind("upper", 0), state),
        ["urlencode"] = (value, arguments, state) => new StringValue(UrlText.Encode(Bare(value, "urlencode", arguments), state)),
        ["wordcount"] = (value, arguments, state) => WordCount(Conversion.ToText(Bare(value, "wordcount", arguments), state).Text, state),
    };

    private static Value Bare(Value value, string name, Arguments arguments)
    {
        arguments.Bind(name, 0);
        return value;
    }

    private static Value Method(Value value, string name, Value?[] arguments, RenderState state) =>
        StringMethods.Find(Conversion.ToText(value, state), name)!.Call(new(arguments!, []), state);

    private static StringValue Escape(Value value, Arguments arguments, RenderState state) =>
        Html.Escape(Conversion.ToText(Bare(value, "escape", arguments), state), state);

    private static StringValue Format(Value value, Arguments arguments, RenderState state)
    {
        if (arguments.Positional.Count > 0 && arguments.Named.Count > 0)
            throw new TemplateFailure("can't handle positional and keyword arguments at the same time");
        var format = Conversion.ToText(value, state);
        Value values = arguments.Named.Count == 0 ? new TupleValue(arguments.Positional)
            : new DictValue(arguments.Named.Select(argument => KeyValuePair.Create<Value, Value>(new StringValue(argument.Key), argument.Value)), state);
        return format.With(PrintfFormat.Apply(format.Text, values, state));
    }

    private static StringValue Indent(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("indent", 0, "width", "first", "blank");
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (value is not StringValue text)
            throw new TemplateFailure($"unsupported operand type(s) for +=: '{value.TypeName}' and 'str'");
        var output = new TextBuilder(state.Budget);
        var (first, blank) = (bound[1]?.IsTrue ?? false, bound[2]?.IsTrue ?? false);
        var isFirst = true;
        state.Budget.Text(text.Text.Length);
        // A line break at the end begins one more line, as it does in Python's own trick for this.
        foreach (var line in PythonText.Lines(text.Text + "\n"))
        {
            state.Budget.Elements(1);
            if (!isFirst)
                output.Append('\n');
            if (isFirst ? first : blank || line.Length > 0)
                Margin();
            output.Append(line);
            isFirst = false;
        }

        return text.With(output.ToString());

        void Margin()
        {
            if (bound[0] is StringValue margin)
                output.Append(margin.Text);
            else
                output.Append(' ', Conversion.ToIndex(bound[0], 4));
        }
    }

    private static StringValue Replace(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("replace", 2, "old", "new", "count");
        return new(TextSearch.Replace(
            Conversion.ToText(value, state).Text, Conversion.ToText(bound[0]!, state).Text, Conversion.ToText(bound[1]!, state).Text,
            Conversion.ToIndexOrNone(bound[2]) ?? -1, state));
    }

    // Words begin behind white space, dashes and opening brackets; str.title() begins them behind anything but a letter.
    private static StringValue Title(StringValue value, RenderState state)
    {
        state.Budget.Characters(value.Text.Length);
        var output = new TextBuilder(state.Budget);
        var text = value.Text;
        for (var at = 0; at < text.Length;)
        {
            var end = at;
            while (end < text.Length && IsBeforeWord(text[end]))
                end++;
            output.Append(text.AsSpan(at, end - at));
            at = end;
            while (end < text.Length && !IsBeforeWord(text[end]))
                end++;
            if (end == at)
                continue;
            var rest = at + CodePoints.LengthAt(text, at);
            output.Append(CaseText.Upper(text[at..rest])).Append(CaseText.Lower(text[rest..end]));
            at = end;
        }

        return value.With(output.ToString());

        static bool IsBeforeWord(char c) => c is '-' or '(' or '{' or '[' or '<' || PythonText.IsSpace(c);
    }

    private static Value Truncate(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("truncate", 0, "length", "killwords", "end", "leeway");
        var (length, leeway) = (Conversion.ToIndex(bound[0], 255), Conversion.ToIndexOrNone(bound[3]) ?? 5);
        var end = bound[2] is null ? new StringValue("...") : new StringValue(Conversion.RequireText(bound[2]!, "truncate()"));
        if (length < end.Length)
            throw new TemplateFailure($"expected length >= {end.Length}, got {length}");
        if (leeway < 0)
            throw new TemplateFailure($"expected leeway >= 0, got {leeway}");
        if (value.Length is not { } before)
            throw new TemplateFailure($"object of type '{value.TypeName}' has no len()");
        if (before <= (Int128)length + leeway)
            return value;
        if (value is not StringValue text)
            throw new TemplateFailure($"'{value.TypeName}' object cannot be truncated");
        state.Budget.Text(text.Text.Length);
        var kept = text.Text[..CodePoints.ToOffset(text, (int)length - end.Length!.Value)];
        if (bound[1] is not { IsTrue: true } && kept.LastIndexOf(' ') is var space and >= 0)
            kept = kept[..space];
        return text.With(kept + end.Text);
    }

    private static IntValue WordCount(string text, RenderState state)
    {
        state.Budget.Characters(text.Length);
        var count = 0;
        var inWord = false;
        foreach (var rune in text.EnumerateRunes())
        {
            var isWord = System.Text.Rune.IsLetter(rune) || System.Text.Rune.IsNumber(rune) || rune.Value == '_';
            if (isWord && !inWord)
                count++;
            inWord = isWord;
        }

        return new(count);
    }

    private static StringValue ToJson(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        var indent = bound[1] switch
        {
            null or NoneValue => null,
            StringValue text => text.Text,
            var width => Spaces(Conversion.ToIndex(width)),
        };
        var separators = bound[2] is null or NoneValue ? [indent is null ? ", " : ",", ": "]
            : state.Iterate(bound[2]!).Take(3).Select(separator => Conversion.RequireText(separator, "separators")).ToArray();
        if (separators.Length != 2)
            throw new TemplateFailure("separators must be two strings");
        return new(new JsonText(state)
        {
            AsciiOnly = bound[0]?.IsTrue ?? false,
            Indent = indent,
            ItemSeparator = separators[0],
            KeySeparator = separators[1],
            SortKeys = bound[3]?.IsTrue ?? false,
        }.Write(value));

        string Spaces(long count)
        {
            state.Budget.Text(Math.Max(count, 0));
            return new(' ', (int)Math.Max(count, 0));
        }
    }
}
