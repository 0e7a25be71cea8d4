namespace Weft.Chat.Jinja;

/// <summary>HTML escapes as markupsafe writes them.</summary>
internal static class Html
{
    /// <summary>The text as HTML; HTML stays as it is.</summary>
    public static StringValue Escape(StringValue value, RenderState state) => value.IsMarkup ? value : EscapeText(value.Text, state);

    /// <summary>The text as HTML, escaped again if it is HTML.</summary>
    public static StringValue EscapeText(string text, RenderState state)
    {
        var output = new TextBuilder(state.Budget);
        foreach (var c in text)
        {
            switch (c)
            {
                case '&':
                    output.Append("&amp;");
                    break;
                case '<':
                    output.Append("&lt;");
                    break;
                case '>':
                    output.Append("&gt;");
                    break;
                case '"':
                    output.Append("&#34;");
                    break;
                case '\'':
                    output.Append("&#39;");
                    break;
                default:
                    output.Append(c);
                    break;
            }
        }

        return new(output.ToString(), isMarkup: true);
    }
}
