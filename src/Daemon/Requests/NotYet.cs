using System.Text.Json;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;

namespace Weft.Daemon.Requests;

/// <summary>Refuses what comes later: said plainly, instead of an answer that ignores what was asked.</summary>
internal static class NotYet
{
    private static readonly string[] Tools = ["tools", "functions"];

    private static readonly string[] Grammars = ["guided_json", "guided_regex", "guided_grammar", "guided_choice", "grammar", "json_schema", "structured_outputs"];

    /// <summary>What OpenAI's clients ask for, and those of vLLM and llama.cpp.</summary>
    /// <exception cref="ApiException">A field asks for something that is not there yet.</exception>
    public static void RefuseOpenAi(Fields fields)
    {
        Refuse(fields);
        if (fields.Object("response_format")?.Text("type") is { } format && format != "text")
            throw ApiException.NotImplemented($"Answers of the format '{format}' are not supported yet.", "response_format");
        foreach (var name in Grammars)
        {
            if (fields.Any(name) is not null)
                throw ApiException.NotImplemented("Answers held to a grammar are not supported yet.", name);
        }
    }

    /// <summary>What Ollama's clients ask for.</summary>
    /// <exception cref="ApiException">A field asks for something that is not there yet.</exception>
    public static void RefuseOllama(Fields fields)
    {
        Refuse(fields);
        if (fields.Any("format") is { } format && !(format.ValueKind == JsonValueKind.String && format.ValueEquals(""u8)))
            throw ApiException.NotImplemented("Answers held to a format are not supported yet.", "format");
    }

    private static void Refuse(Fields fields)
    {
        foreach (var name in Tools)
        {
            if (fields.Array(name) is { Count: > 0 })
                throw ApiException.NotImplemented("Calling tools is not supported yet.", name);
        }

        if (fields.Text("suffix") is { Length: > 0 })
            throw ApiException.NotImplemented("Filling in before a suffix is not supported yet.", "suffix");
    }
}
