using System.Collections.Frozen;
using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>A method of a text.</summary>
internal delegate Value StringMethod(StringValue self, Arguments arguments, RenderState state);

/// <summary>The methods of str.</summary>
internal static class StringMethods
{
    private static readonly FrozenDictionary<string, StringMethod> All = new Dictionary<string, StringMethod>
    {
        ["capitalize"] = (self, arguments, state) => Cased("capitalize", CaseText.Capitalize, self, arguments, state),
        ["lower"] = (self, arguments, state) => Cased("lower", CaseText.Lower, self, arguments, state),
        ["swapcase"] = (self, arguments, state) => Cased("swapcase", CaseText.Swap, self, arguments, state),
        ["title"] = (self, arguments, state) => Cased("title", CaseText.Title, self, arguments, state),
        ["upper"] = (self, arguments, state) => Cased("upper", CaseText.Upper, self, arguments, state),
        ["strip"] = (self, arguments, state) => Strip("strip", self, arguments, state, left: true, right: true),
        ["lstrip"] = (self, arguments, state) => Strip("lstrip", self, arguments, state, left: true, right: false),
        ["rstrip"] = (self, arguments, state) => Strip("rstrip", self, arguments, state, left: false, right: true),
        ["removeprefix"] = RemovePrefix,
        ["removesuffix"] = RemoveSuffix,
        ["center"] = (self, arguments, state) => Pad("center", self, arguments, state),
        ["ljust"] = (self, arguments, state) => Pad("ljust", self, arguments, state),
        ["rjust"] = (self, arguments, state) => Pad("rjust", self, arguments, state),
        ["zfill"] = ZeroFill,
        ["replace"] = Replace,
        ["join"] = Join,
        ["format"] = (self, arguments, state) => self.With(BraceFormat.Apply(self.Text, arguments, state)),
        ["format_map"] = FormatMap,
    }.Concat(SearchMethods.All).Concat(SplitMethods.All).Concat(TextPredicates.All).ToFrozenDictionary();

    /// <summary>The method of that name of a text, or null.</summary>
    public static FunctionValue? Find(StringValue self, string name) => All.TryGetValue(name, out var method)
        ? new(name, (arguments, state) => method(self, arguments, state))
        : null;

    private static string Text(Value value, string function) => Conversion.RequireText(value, function);

    private static StringValue Cased(string name, Func<string, string> change, StringValue self, Arguments arguments, RenderState state)
    {
        arguments.Bind(name, 0);
        state.Budget.Characters(self.Text.Length);
        return self.With(change(self.Text));
    }

    private static StringValue Strip(string name, StringValue self, Arguments arguments, RenderState state, bool left, bool right)
    {
        var characters = arguments.Bind(name, 0, "chars")[0];
        if (characters is not (null or NoneValue or StringValue))
            throw new TemplateFailure($"{name} arg must be None or str");
        state.Budget.Text(self.Text.Length);
        if (characters is StringValue given)
            state.Budget.Elements(given.Text.Length);
        return self.With(PythonText.Strip(self.Text, (characters as StringValue)?.Text, left, right));
    }

    private static StringValue RemovePrefix(StringValue self, Arguments arguments, RenderState state)
    {
        var prefix = Text(arguments.Bind("removeprefix", 1, "prefix")[0]!, "removeprefix()");
        state.Budget.Text(self.Text.Length);
        return self.Text.StartsWith(prefix, StringComparison.Ordinal) ? self.With(self.Text[prefix.Length..]) : self;
    }

    private static StringValue RemoveSuffix(StringValue self, Arguments arguments, RenderState state)
    {
        var suffix = Text(arguments.Bind("removesuffix", 1, "suffix")[0]!, "removesuffix()");
        state.Budget.Text(self.Text.Length);
        return self.Text.EndsWith(suffix, StringComparison.Ordinal) ? self.With(self.Text[..^suffix.Length]) : self;
    }

    private static StringValue Pad(string name, StringValue self, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind(name, 1, "width", "fillchar");
        var width = Conversion.ToIndex(bound[0]!);
        var fill = bound[1] is null ? " " : Text(bound[1]!, name + "()");
        if (CodePoints.Count(fill) != 1)
            throw new TemplateFailure("The fill character must be exactly one character long");
        var missing = Math.Max(width - self.Length!.Value, 0);
        // Python puts the odd character of a centred text to the left where the width is odd.
        var left = name switch { "ljust" => 0, "rjust" => missing, _ => (missing / 2) + (missing & width & 1) };
        var output = new TextBuilder(state.Budget);
        Rune.TryGetRuneAt(fill, 0, out var rune);
        NumberFormat.Pad("", "", left, '<', rune, output);
        output.Append(self.Text);
        NumberFormat.Pad("", "", missing - left, '<', rune, output);
        return self.With(output.ToString());
    }

    private static StringValue ZeroFill(StringValue self, Arguments arguments, RenderState state)
    {
        var width = Conversion.ToIndex(arguments.Bind("zfill", 1, "width")[0]!);
        var sign = self.Text is ['+' or '-', ..] ? 1 : 0;
        var output = new TextBuilder(state.Budget).Append(self.Text.AsSpan(0, sign));
        output.Append('0', width - self.Length!.Value).Append(self.Text.AsSpan(sign));
        return self.With(output.ToString());
    }

    private static StringValue Replace(StringValue self, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("replace", 2, "old", "new", "count");
        var (old, replacement) = (Text(bound[0]!, "replace()"), Text(bound[1]!, "replace()"));
        return self.With(TextSearch.Replace(self.Text, old, replacement, Conversion.ToIndex(bound[2], -1), state));
    }

    private static StringValue Join(StringValue self, Arguments arguments, RenderState state)
    {
        var output = new TextBuilder(state.Budget);
        var count = 0;
        foreach (var item in state.Iterate(arguments.Bind("join", 1, "iterable")[0]!))
        {
            if (item is not StringValue text)
                throw new TemplateFailure($"sequence item {count}: expected str instance, {item.TypeName} found");
            if (count++ > 0)
                output.Append(self.Text);
            output.Append(text.Text);
        }

        return self.With(output.ToString());
    }

    private static StringValue FormatMap(StringValue self, Arguments arguments, RenderState state)
    {
        if (arguments.Bind("format_map", 1, "mapping")[0] is not DictValue dict)
            throw new TemplateFailure("format_map() takes a mapping");
        var named = dict.Entries.Where(entry => entry.Key is StringValue).Select(entry => KeyValuePair.Create(((StringValue)entry.Key).Text, entry.Value));
        return self.With(BraceFormat.Apply(self.Text, new([], [.. named]), state));
    }
}
