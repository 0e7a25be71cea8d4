using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>Percent-encoding as the filter urlencode writes it.</summary>
internal static class UrlText
{
    /// <summary>A text with its unsafe bytes encoded, or the pairs of a dict or list as a query.</summary>
    public static string Encode(Value value, RenderState state)
    {
        var output = new TextBuilder(state.Budget);
        if (value is StringValue || value.Elements(state) is null)
        {
            Quote(value, isQuery: false, state, output);
            return output.ToString();
        }

        var pairs = value is DictValue dict ? dict.Entries.Select(entry => new[] { entry.Key, entry.Value })
            : state.Iterate(value).Select(item => state.Iterate(item).Take(3).ToArray());
        foreach (var pair in pairs)
        {
            if (pair.Length != 2)
                throw new TemplateFailure("urlencode takes pairs of a key and a value");
            if (output.Length > 0)
                output.Append('&');
            Quote(pair[0], isQuery: true, state, output);
            output.Append('=');
            Quote(pair[1], isQuery: true, state, output);
        }

        return output.ToString();
    }

    private static void Quote(Value value, bool isQuery, RenderState state, TextBuilder output)
    {
        var text = Conversion.ToText(value, state).Text;
        state.Budget.Text(text.Length);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'_' or (byte)'.' or (byte)'-' or (byte)'~' || (b == '/' && !isQuery))
                output.Append((char)b);
            else if (b == ' ' && isQuery)
                output.Append('+');
            else
                output.Append('%').Append("0123456789ABCDEF"[b >> 4]).Append("0123456789ABCDEF"[b & 15]);
        }
    }
}
