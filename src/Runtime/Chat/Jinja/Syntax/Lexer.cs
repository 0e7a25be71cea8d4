namespace Weft.Chat.Jinja;

/// <summary>
/// Cuts a template into tokens as jinja2 does with trim_blocks and lstrip_blocks: the line break after a block or comment is dropped,
/// so is white space between the beginning of a line and a block or comment; <c>-</c> drops all white space on its side, <c>+</c> keeps it.
/// </summary>
internal sealed class Lexer
{
    private readonly string source;
    private readonly List<Token> tokens = [];
    private int position;
    private int line = 1;
    private bool lineStarting = true;

    private Lexer(string source) => this.source = source;

    /// <summary>Reads all tokens; the last is <see cref="TokenKind.End"/>.</summary>
    /// <exception cref="WeftException">The template is too long, or a tag or literal in it is not closed or not known.</exception>
    public static List<Token> Read(string template)
    {
        if (template.Length > TemplateSyntax.LongestTemplate)
            throw new WeftException($"The chat template has {template.Length} characters; the longest that is read has {TemplateSyntax.LongestTemplate}");
        var source = template.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        // keep_trailing_newline=False: one line break at the very end is not part of the template.
        var lexer = new Lexer(source.EndsWith('\n') ? source[..^1] : source);
        while (lexer.position < lexer.source.Length)
            lexer.ReadTextAndTag();
        lexer.Add(TokenKind.End, "");
        return lexer.tokens;
    }

    private void ReadTextAndTag()
    {
        var begin = FindTag(position);
        if (begin < 0)
        {
            AddText(source[position..]);
            Advance(source.Length);
            return;
        }

        var sign = SignAt(begin + 2);
        AddText(Strip(source[position..begin], sign, isBlock: source[begin + 1] != '{'));
        Advance(begin);
        var afterSign = begin + 2 + (sign == '\0' ? 0 : 1);
        if (source[begin + 1] == '#')
            SkipComment(afterSign);
        else if (source[begin + 1] == '%' && EndOfWordTag(afterSign, "raw") is var raw and >= 0)
            ReadRaw(raw);
        else
            ReadTag(afterSign, isBlock: source[begin + 1] == '%');
        lineStarting = source[position - 1] == '\n';
    }

    private int FindTag(int from)
    {
        for (var at = source.IndexOf('{', from); at >= 0 && at + 1 < source.Length; at = source.IndexOf('{', at + 1))
        {
            if (source[at + 1] is '{' or '%' or '#')
                return at;
        }

        return -1;
    }

    private char SignAt(int at) => at < source.Length && source[at] is '-' or '+' ? source[at] : '\0';

    private string Strip(string text, char sign, bool isBlock)
    {
        if (sign == '-')
            return PythonText.TrimEnd(text);
        if (sign == '+' || !isBlock)
            return text;
        var lineBegin = text.LastIndexOf('\n') + 1;
        return (lineBegin > 0 || lineStarting) && text.AsSpan(lineBegin).ContainsOnlySpace() ? text[..lineBegin] : text;
    }

    private void SkipComment(int from)
    {
        var end = source.IndexOf("#}", from, StringComparison.Ordinal);
        if (end < 0)
            EndOpen(from, "the comment is not closed with '#}'");
        else
            EndTag(end + 2, end > from ? source[end - 1] : '\0', trimsLine: true);
    }

    // What stands behind an end tag: '-' takes all white space with it; blocks and comments take one line break.
    private void EndTag(int after, char sign, bool trimsLine)
    {
        if (sign == '-')
            after = SkipSpace(after);
        else if (sign != '+' && trimsLine && after < source.Length && source[after] == '\n')
            after++;
        Advance(after);
    }

    private void ReadRaw(int begin)
    {
        Advance(begin);
        lineStarting = source[begin - 1] == '\n';
        for (var at = source.IndexOf("{%", begin, StringComparison.Ordinal); at >= 0; at = source.IndexOf("{%", at + 2, StringComparison.Ordinal))
        {
            var sign = SignAt(at + 2);
            var word = at + 2 + (sign == '\0' ? 0 : 1);
            if (EndOfWord(word, "endraw") is not (var endSign, var after))
                continue;
            AddText(Strip(source[begin..at], sign, isBlock: true));
            EndTag(after, endSign, trimsLine: true);
            return;
        }

        EndOpen(begin, "the raw block is not closed with '{% endraw %}'");
    }

    // As in jinja2, what nothing follows needs no end.
    private void EndOpen(int from, string reason)
    {
        if (from < source.Length)
            TemplateSyntax.Fail(line, reason);
        Advance(from);
    }

    // Where the text of a raw block begins, or -1 when this tag is another. Unlike other blocks, its line break stays.
    private int EndOfWordTag(int at, string word) =>
        EndOfWord(at, word) is (var sign, var after) && sign != '+' ? sign == '-' ? SkipSpace(after) : after : -1;

    private (char Sign, int After)? EndOfWord(int at, string word)
    {
        at = SkipSpace(at);
        if (string.CompareOrdinal(source, at, word, 0, word.Length) != 0)
            return null;
        at = SkipSpace(at + word.Length);
        var sign = SignAt(at);
        if (sign != '\0')
            at++;
        return string.CompareOrdinal(source, at, "%}", 0, 2) == 0 ? (sign, at + 2) : null;
    }

    private void ReadTag(int from, bool isBlock)
    {
        Add(isBlock ? TokenKind.BlockBegin : TokenKind.VariableBegin, "");
        Advance(from);
        var close = isBlock ? "%}" : "}}";
        var brackets = new Stack<char>();
        while (position < source.Length)
        {
            // Inside brackets '}}' closes two dictionaries rather than the tag.
            if (brackets.Count == 0)
            {
                var sign = SignAt(position);
                var end = position + (sign == '-' || (sign == '+' && isBlock) ? 1 : 0);
                if (string.CompareOrdinal(source, end, close, 0, 2) == 0)
                {
                    Add(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, "");
                    EndTag(end + 2, end > position ? sign : '\0', trimsLine: isBlock);
                    return;
                }
            }

            if (PythonText.IsSpace(source[position]))
                Advance(SkipSpace(position));
            else
                ReadToken(brackets);
        }
    }

    private void ReadToken(Stack<char> brackets)
    {
        var (kind, text, end) = TokenReader.Read(source, position, line);
        if (kind == TokenKind.Operator)
            Balance(brackets, text[0]);
        Add(kind, text);
        Advance(end);
    }

    private void Balance(Stack<char> brackets, char bracket)
    {
        var opening = bracket switch { ')' => '(', ']' => '[', '}' => '{', _ => '\0' };
        if (bracket is '(' or '[' or '{')
            brackets.Push(bracket);
        else if (opening != '\0' && (!brackets.TryPop(out var open) || open != opening))
            TemplateSyntax.Fail(line, $"'{bracket}' closes no '{opening}'");
    }

    private int SkipSpace(int at)
    {
        while (at < source.Length && PythonText.IsSpace(source[at]))
            at++;
        return at;
    }

    private void Add(TokenKind kind, string text) => tokens.Add(new(kind, text, line));

    private void AddText(string text)
    {
        if (text.Length > 0)
            Add(TokenKind.Text, text);
    }

    private void Advance(int to)
    {
        line += source.AsSpan(position, to - position).Count('\n');
        position = to;
    }
}
