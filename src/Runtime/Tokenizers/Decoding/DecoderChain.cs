using System.Text;
using Weft.Tokenizers.Models;
using Weft.Tokenizers.Normalization;
using Weft.Tokenizers.Splitting;

namespace Weft.Tokenizers.Decoding;

/// <summary>
/// The decoders of a tokenizer, in order: each maps the list of a text's tokens to another list. This is the plain definition;
/// <see cref="Decoder"/> avoids it where what a token adds does not depend on its neighbours.
/// </summary>
internal sealed class DecoderChain
{
    private readonly DecoderStep[] steps;
    private readonly RegexSplitter?[] expressions;

    public DecoderChain(IReadOnlyList<DecoderStep> steps)
    {
        this.steps = [.. steps];
        expressions = [.. steps.Select(step => step.Kind == DecoderKind.ReplaceExpression ? new RegexSplitter(step.Pattern ?? "") : null)];
    }

    /// <summary>Runs the steps in a range over the tokens.</summary>
    /// <param name="tokens">Texts of the tokens; the list is used up.</param>
    /// <param name="from">The first step.</param>
    /// <param name="to">The step after the last.</param>
    /// <exception cref="WeftException">The texts grow too long, or an expression takes too long.</exception>
    public List<string> Run(List<string> tokens, int from, int to)
    {
        var limit = new WorkLimit(Length(tokens));
        for (var i = from; i < to; i++)
        {
            tokens = Run(steps[i], expressions[i], tokens, limit);
            limit.Spend(Length(tokens));
        }

        return tokens;

        static long Length(List<string> tokens)
        {
            // A token costs something even where it is no text.
            long length = tokens.Count;
            foreach (var token in tokens)
                length += token.Length;
            return length;
        }
    }

    private static List<string> Run(DecoderStep step, RegexSplitter? expression, List<string> tokens, WorkLimit limit)
    {
        switch (step.Kind)
        {
            case DecoderKind.ByteAlphabet:
                return [Encoding.UTF8.GetString([.. tokens.SelectMany(BytesOf)])];
            case DecoderKind.ByteFallback or DecoderKind.ByteRuns:
                return FallBack(tokens, step.Kind == DecoderKind.ByteRuns);
            case DecoderKind.Fuse:
                return [string.Concat(tokens)];
            case DecoderKind.Ctc:
                return Ctc(step, tokens);
            case DecoderKind.Pieces:
                return Pieces(step, tokens);
            default:
                for (var i = 0; i < tokens.Count; i++)
                    tokens[i] = Map(step, expression, tokens[i], i == 0, i == tokens.Count - 1, limit);
                return tokens;
        }
    }

    /// <summary>Writes the bytes that a token spells; its own where it has characters beyond the alphabet.</summary>
    /// <param name="token">The token.</param>
    /// <param name="bytes">Takes them: three a character at most.</param>
    /// <returns>How many there are.</returns>
    public static int Write(string token, Span<byte> bytes) => ByteAlphabet.TryRead(token, bytes) ? token.Length : Encoding.UTF8.GetBytes(token, bytes);

    private static byte[] BytesOf(string token)
    {
        var bytes = new byte[3 * token.Length];
        return bytes[..Write(token, bytes)];
    }

    private static string Map(DecoderStep step, RegexSplitter? expression, string token, bool first, bool last, WorkLimit limit)
    {
        var pattern = step.Pattern ?? "";
        switch (step.Kind)
        {
            case DecoderKind.Strip:
                return Strip(step, token);
            case DecoderKind.Replace:
                return Normalizer.Replace(token, pattern, step.Content, limit);
            case DecoderKind.ReplaceExpression:
                return expression!.Replace(token, step.Content ?? "", limit);
            case DecoderKind.Metaspace:
                return token.Replace(pattern, first && step.Prefixed ? "" : " ", StringComparison.Ordinal);
            case DecoderKind.WordSuffix:
                return last ? Replace(token, pattern, "") : Spaced(token, pattern);
            case DecoderKind.WordPiece:
                if (!first)
                    token = token.StartsWith(pattern, StringComparison.Ordinal) ? token[pattern.Length..] : " " + token;
                return step.Cleanup ? Clean(token) : token;
            case DecoderKind.Spaces:
                return first ? token : " " + token;
            default:
                throw new WeftException($"the decoder '{step.Kind}' is not known");
        }
    }

    private static string Replace(string token, string pattern, string content) =>
        pattern.Length == 0 ? token : token.Replace(pattern, content, StringComparison.Ordinal);

    /// <summary>A space for every pattern; an empty one, to the library that this follows, stands before and after every character.</summary>
    private static string Spaced(string token, string pattern) =>
        pattern.Length > 0 ? Replace(token, pattern, " ") : $" {string.Concat(token.EnumerateRunes().Select(rune => $"{rune} "))}";

    private static string Strip(DecoderStep step, string token)
    {
        var content = step.Content;
        if (string.IsNullOrEmpty(content))
            return token;
        var (start, end) = (0, token.Length);
        for (var i = 0; i < step.Start && string.CompareOrdinal(token, start, content, 0, content.Length) == 0; i++)
            start += content.Length;
        for (var i = 0; i < step.Stop && end - start >= content.Length && string.CompareOrdinal(token, end - content.Length, content, 0, content.Length) == 0; i++)
            end -= content.Length;
        return token[start..end];
    }

    /// <summary>What BERT's and CTC's decoders take out to undo the separation of punctuation.</summary>
    private static string Clean(string token) => token
        .Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal).Replace(" !", "!", StringComparison.Ordinal)
        .Replace(" ,", ",", StringComparison.Ordinal).Replace(" ' ", "'", StringComparison.Ordinal).Replace(" n't", "n't", StringComparison.Ordinal)
        .Replace(" 'm", "'m", StringComparison.Ordinal).Replace(" do not", " don't", StringComparison.Ordinal).Replace(" 's", "'s", StringComparison.Ordinal)
        .Replace(" 've", "'ve", StringComparison.Ordinal).Replace(" 're", "'re", StringComparison.Ordinal);

    private static List<string> FallBack(List<string> tokens, bool replaceRuns)
    {
        var result = new List<string>(tokens.Count);
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            if (ByteTokens.TryParse(token, out var value, anyCase: replaceRuns))
            {
                bytes.Add(value);
                continue;
            }

            Flush();
            result.Add(token);
        }

        Flush();
        return result;

        void Flush()
        {
            if (replaceRuns && Utf8Text.ReadRun([.. bytes]) is { } replaced)
                result.AddRange(replaced.Select(replacement => replacement.ToString())); // a token each
            else if (bytes.Count > 0)
                result.Add(Utf8Text.Read([.. bytes], replaceEachByte: true));
            bytes.Clear();
        }
    }

    private static List<string> Ctc(DecoderStep step, List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        var previous = default(string);
        foreach (var token in tokens)
        {
            var repeated = token == previous;
            previous = token;
            if (repeated)
                continue;
            var text = Replace(token, step.Pattern ?? "", "");
            if (step.Cleanup)
                text = Spaced(Clean(text), step.Content ?? "");
            if (text.Length > 0)
                result.Add(text);
        }

        return result;
    }

    private static List<string> Pieces(DecoderStep step, List<string> tokens)
    {
        var space = step.Pattern ?? "";
        var begun = !step.Prefixed && !step.Cleanup;
        for (var i = 0; i < tokens.Count; i++)
        {
            // The unknown token's text was put in its place before and stays.
            if (tokens[i] == step.Content)
            {
                begun |= step.Content.Length > 0;
                continue;
            }

            var drop = !begun && space.Length > 0 && tokens[i].StartsWith(space, StringComparison.Ordinal);
            var text = drop ? tokens[i][space.Length..] : tokens[i];
            begun |= text.Length > 0 || (drop && !step.Cleanup);
            tokens[i] = space.Length == 0 ? text : text.Replace(space, " ", StringComparison.Ordinal);
        }

        return tokens;
    }
}
