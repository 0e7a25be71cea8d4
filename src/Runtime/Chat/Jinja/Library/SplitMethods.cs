namespace Weft.Chat.Jinja;

/// <summary>The methods of str that cut it.</summary>
internal static class SplitMethods
{
    /// <summary>The methods by name.</summary>
    public static IReadOnlyDictionary<string, StringMethod> All { get; } = new Dictionary<string, StringMethod>
    {
        ["split"] = (self, arguments, state) => Split("split", self, arguments, state, fromEnd: false),
        ["rsplit"] = (self, arguments, state) => Split("rsplit", self, arguments, state, fromEnd: true),
        ["splitlines"] = SplitLines,
        ["partition"] = (self, arguments, state) => Partition("partition", self, arguments, state, fromEnd: false),
        ["rpartition"] = (self, arguments, state) => Partition("rpartition", self, arguments, state, fromEnd: true),
    };

    private static ListValue Split(string name, StringValue self, Arguments arguments, RenderState state, bool fromEnd)
    {
        var bound = arguments.Bind(name, 0, "sep", "maxsplit");
        var most = Conversion.ToIndex(bound[1], -1) is var given and >= 0 ? given : long.MaxValue;
        state.Budget.Text(self.Text.Length);
        var parts = bound[0] is null or NoneValue
            ? SplitAtSpace(self.Text, most, fromEnd)
            : SplitAt(self.Text, Conversion.RequireText(bound[0]!, name + "()"), most, fromEnd, state);
        // From the end the parts are found last to first.
        return new([.. Counted(fromEnd ? Enumerable.Reverse(parts) : parts, state).Select(self.With)]);
    }

    private static IEnumerable<string> Counted(IEnumerable<string> parts, RenderState state)
    {
        foreach (var part in parts)
        {
            state.Budget.Elements(2);
            yield return part;
        }
    }

    private static IEnumerable<string> SplitAt(string text, string separator, long most, bool fromEnd, RenderState state)
    {
        if (separator.Length == 0)
            throw new TemplateFailure("empty separator");
        state.Budget.Search(text.Length, separator.Length);
        var (from, to) = (0, text.Length);
        for (; most > 0; most--)
        {
            var at = fromEnd
                ? text.AsSpan(0, to).LastIndexOf(separator, StringComparison.Ordinal)
                : text.IndexOf(separator, from, StringComparison.Ordinal);
            if (at < 0)
                break;
            yield return fromEnd ? text[(at + separator.Length)..to] : text[from..at];
            (from, to) = fromEnd ? (0, at) : (at + separator.Length, to);
        }

        yield return text[from..to];
    }

    // Stretches of white space separate; the rest behind the last split keeps its own.
    private static IEnumerable<string> SplitAtSpace(string text, long most, bool fromEnd)
    {
        var (from, to) = (0, text.Length);
        while (true)
        {
            while (from < to && PythonText.IsSpace(text[fromEnd ? to - 1 : from]))
                (from, to) = fromEnd ? (from, to - 1) : (from + 1, to);
            if (from == to)
                yield break;
            if (most-- <= 0)
            {
                yield return text[from..to];
                yield break;
            }

            var (begin, end) = fromEnd ? (to, to) : (from, from);
            while (fromEnd ? begin > from && !PythonText.IsSpace(text[begin - 1]) : end < to && !PythonText.IsSpace(text[end]))
                (begin, end) = fromEnd ? (begin - 1, end) : (begin, end + 1);
            yield return text[begin..end];
            (from, to) = fromEnd ? (from, begin) : (end, to);
        }
    }

    private static ListValue SplitLines(StringValue self, Arguments arguments, RenderState state)
    {
        var keepEnds = arguments.Bind("splitlines", 0, "keepends")[0]?.IsTrue ?? false;
        state.Budget.Text(self.Text.Length);
        var lines = PythonText.Lines(self.Text, keepEnds);
        state.Budget.Elements(lines.Count);
        return new([.. lines.Select(self.With)]);
    }

    private static TupleValue Partition(string name, StringValue self, Arguments arguments, RenderState state, bool fromEnd)
    {
        var separator = Conversion.RequireText(arguments.Bind(name, 1, "sep")[0]!, name + "()");
        if (separator.Length == 0)
            throw new TemplateFailure("empty separator");
        var text = self.Text;
        state.Budget.Search(text.Length, separator.Length);
        state.Budget.Text(text.Length);
        var at = fromEnd ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        if (at < 0)
            return fromEnd ? new([self.With(""), self.With(""), self]) : new([self, self.With(""), self.With("")]);
        return new([self.With(text[..at]), self.With(separator), self.With(text[(at + separator.Length)..])]);
    }
}
