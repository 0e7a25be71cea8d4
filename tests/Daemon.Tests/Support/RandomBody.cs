using System.Text;
using System.Text.Json;

namespace Weft.Daemon.Tests.Support;

/// <summary>Bodies of requests that are nearly right: good ones with fields exchanged for odd values, dropped, nested, or with bytes broken.</summary>
internal static class RandomBody
{
    private static readonly string[] Templates =
    [
        """{"model":"bard","prompt":"ROMEO: what","max_tokens":3,"temperature":0.5,"top_p":0.9,"n":1,"stream":false,"stop":["x"],"logprobs":1,"echo":true,"seed":1}""",
        """{"model":"bard","messages":[{"role":"user","content":"hello"}],"max_tokens":3,"stream":true,"stream_options":{"include_usage":true},"logit_bias":{"5":1}}""",
        """{"model":"bard","messages":[{"role":"system","content":[{"type":"text","text":"a"}]},{"role":"user","content":"b"}],"top_logprobs":2,"logprobs":true,"max_tokens":2}""",
        """{"content":"some text","add_special":true,"with_pieces":true}""",
        """{"tokens":[1,2,3,500]}""",
        """{"model":"bard","prompt":"a","stream":false,"options":{"num_predict":3,"temperature":0.1,"stop":["a"],"seed":3,"top_k":5}}""",
        """{"model":"bard:latest","messages":[{"role":"user","content":"hi"}],"options":{"num_predict":2},"stream":true}""",
        """{"prompt":[1,2,3],"max_tokens":2,"min_tokens":1,"ignore_eos":true,"stop_token_ids":[5],"priority":2,"top_k":3,"min_p":0.1}""",
    ];

    private static readonly string[] Odd =
    [
        "null", "true", "false", "0", "-1", "1", "1.5", "-0.0", "1e308", "1e999", "-1e999", "2147483648", "9223372036854775808", "\"\"", "\"a\"", "\"\\u0000\"", "\"\\ud800\"", "{\"\\ud800\":1}",
        "\"\\uDFFF\\uD800\"", "[]", "{}", "[[]]", "[null]", "[\"a\",1]", "{\"a\":{\"b\":[]}}", "[1,2,99999]", "\"\U0001F600é漢字\"", "[{\"role\":\"user\"}]", "[{\"role\":5,\"content\":\"a\"}]",
    ];

    public static byte[] Create(Random random)
    {
        using var template = JsonDocument.Parse(Templates[random.Next(Templates.Length)]);
        var fields = template.RootElement.EnumerateObject().Select(field => (field.Name, Value: field.Value.GetRawText())).ToList();
        for (var changes = random.Next(4); changes > 0 && fields.Count > 0; changes--)
            Change(fields, random);
        var bytes = Encoding.UTF8.GetBytes("{" + string.Join(',', fields.Select(field => $"\"{field.Name}\":{field.Value}")) + "}");
        if (random.Next(8) == 0)
        {
            for (var i = random.Next(1, 4); i > 0; i--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        }

        if (random.Next(20) == 0)
            bytes = bytes[..random.Next(bytes.Length)];
        return random.Next(100) == 0 ? Encoding.UTF8.GetBytes(new string('[', random.Next(1000)) + new string('{', random.Next(3))) : bytes;
    }

    /// <summary>Drops a field, gives it an odd value, or adds it once more with one.</summary>
    private static void Change(List<(string Name, string Value)> fields, Random random)
    {
        var index = random.Next(fields.Count);
        var odd = (fields[index].Name, Odd[random.Next(Odd.Length)]);
        switch (random.Next(4))
        {
            case 0:
                fields.RemoveAt(index);
                break;
            case 1:
                fields.Add(odd);
                break;
            default:
                fields[index] = odd;
                break;
        }
    }
}
