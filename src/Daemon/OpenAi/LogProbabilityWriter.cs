using System.Text.Json;
using Weft.Tokenizers;

namespace Weft.Daemon.OpenAi;

/// <summary>Writes tokens with their log-probabilities.</summary>
internal static class LogProbabilityWriter
{
    // What OpenAI writes where a probability is nothing: JSON has no infinity.
    private const double Never = -9999;

    /// <summary>A log-probability as a number of JSON.</summary>
    public static double Value(float value) => float.IsFinite(value) ? value : Never;

    /// <summary>The fields of a token: its text, the bytes of that, and its log-probability.</summary>
    public static void Write(Utf8JsonWriter writer, Tokenizer tokenizer, LogProbability entry)
    {
        writer.WriteString("token", tokenizer.Piece(entry.Token));
        writer.WriteNumber("logprob", Value(entry.Value));
        writer.WriteStartArray("bytes");
        foreach (var value in tokenizer.PieceBytes(entry.Token))
            writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }
}
