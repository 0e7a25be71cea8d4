namespace Weft.Chat.Jinja;

/// <summary>The methods of str that look for text in it.</summary>
internal static class SearchMethods
{
    /// <summary>The methods by name.</summary>
    public static IReadOnlyDictionary<string, StringMethod> All { get; } = new Dictionary<string, StringMethod>
    {
        ["find"] = (self, arguments, state) => new IntValue(Find("find", self, arguments, state, fromEnd: false)),
        ["rfind"] = (self, arguments, state) => new IntValue(Find("rfind", self, arguments, state, fromEnd: true)),
        ["index"] = (self, arguments, state) => Found(Find("index", self, arguments, state, fromEnd: false)),
        ["rindex"] = (self, arguments, state) => Found(Find("rindex", self, arguments, state, fromEnd: true)),
        ["count"] = Count,
        ["startswith"] = (self, arguments, state) => Affix("startswith", self, arguments, state,
            static (text, affix) => text.StartsWith(affix, StringComparison.Ordinal)),
        ["endswith"] = (self, arguments, state) => Affix("endswith", self, arguments, state,
            static (text, affix) => text.EndsWith(affix, StringComparison.Ordinal)),
    };

    // The part of the text that the arguments name, and where it begins; null when it would begin beyond the end.
    private static (string Part, int Offset)? Part(StringValue self, Value? start, Value? end, RenderState state)
    {
        if (start is null or NoneValue && end is null or NoneValue)
            return (self.Text, 0);
        var length = self.Length!.Value;
        var from = Fit(Conversion.ToIndexOrNone(start) ?? 0, length);
        var to = Math.Min(Fit(Conversion.ToIndexOrNone(end) ?? length, length), length);
        if (from > to)
            return null;
        state.Budget.Text(self.Text.Length);
        var offset = CodePoints.ToOffset(self, from);
        return (self.Text[offset..CodePoints.ToOffset(self, to)], offset);

        static int Fit(long index, int length) => (int)Math.Clamp(index < 0 ? index + length : index, 0, (long)length + 1);
    }

    private static int Find(string name, StringValue self, Arguments arguments, RenderState state, bool fromEnd)
    {
        var bound = arguments.Bind(name, 1, "sub", "start", "end");
        var wanted = Conversion.RequireText(bound[0]!, name + "()");
        if (Part(self, bound[1], bound[2], state) is not (var part, var offset))
            return -1;
        state.Budget.Search(part.Length, wanted.Length);
        var at = fromEnd ? part.LastIndexOf(wanted, StringComparison.Ordinal) : part.IndexOf(wanted, StringComparison.Ordinal);
        state.Budget.Scan(offset + Math.Max(at, 0));
        return at < 0 ? -1 : CodePoints.ToIndex(self, offset + at);
    }

    private static IntValue Found(int index) => index >= 0 ? new(index) : throw new TemplateFailure("substring not found");

    private static IntValue Count(StringValue self, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("count", 1, "sub", "start", "end");
        var wanted = Conversion.RequireText(bound[0]!, "count()");
        if (Part(self, bound[1], bound[2], state) is not (var part, _))
            return IntValue.Zero;
        return new(wanted.Length == 0 ? CodePoints.Count(part) + 1 : TextSearch.Count(part, wanted, -1, state));
    }

    private static BoolValue Affix(string name, StringValue self, Arguments arguments, RenderState state, Func<string, string, bool> holds)
    {
        var bound = arguments.Bind(name, 1, "affix", "start", "end");
        var affixes = bound[0] is TupleValue tuple ? tuple.Items : [bound[0]!];
        if (affixes.FirstOrDefault(affix => affix is not StringValue) is { } wrong)
            throw new TemplateFailure($"{name} first arg must be str or a tuple of str, not {wrong.TypeName}");
        state.Budget.Elements(affixes.Count);
        return BoolValue.Of(Part(self, bound[1], bound[2], state) is (var part, _) && affixes.Any(affix =>
        {
            state.Budget.Scan(Math.Min(part.Length, ((StringValue)affix).Text.Length));
            return holds(part, ((StringValue)affix).Text);
        }));
    }
}
