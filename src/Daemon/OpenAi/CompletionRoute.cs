using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Requests;
using Weft.Daemon.Streaming;
using Weft.Tokenizers;

namespace Weft.Daemon.OpenAi;

/// <summary><c>POST /v1/completions</c>: text or token ids in, what follows out.</summary>
internal static class CompletionRoute
{
    private const int DefaultMaxTokens = 16; // OpenAI's

    /// <summary>Answers a request.</summary>
    public static async Task HandleAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var model = models.Find(fields.Text("model"));
        var prompts = PromptField.Read(fields, "prompt", model);
        var echo = fields.Flag("echo") ?? false;
        var settings = GenerationFields.Read(fields, context, model, DefaultMaxTokens, fields.Integer("logprobs"));
        // Those who only want a prompt scored ask for no token: one is drawn all the same, and not shown.
        var isScoring = echo && settings.Options.MaxTokens == 0;
        if (settings.Options.TopLogProbabilities is not null)
            model.RequireTokenizer();
        settings = settings with
        {
            IsScoring = isScoring,
            Options = settings.Options with
            {
                MaxTokens = isScoring ? 1 : settings.Options.MaxTokens,
                PromptLogProbabilities = echo && settings.Options.TopLogProbabilities is not null,
            },
        };
        var generations = settings.Start(model, prompts, context.RequestAborted);
        var format = new Format(model, generations, prompts, settings, echo);
        await new Answer(context, model, settings, generations, format).SendAsync().ConfigureAwait(false);
    }

    private sealed class Format(
        ServedModel model, IReadOnlyList<Generation> generations, IReadOnlyList<int[]> prompts, GenerationFields settings, bool echo) : IAnswerFormat
    {
        private readonly int[] offsets = new int[generations.Count];

        public string IdPrefix => "cmpl-";

        public string Object => "text_completion";

        public string ChunkObject => "text_completion";

        public bool HasOpening => echo;

        public void WriteChunk(Utf8JsonWriter writer, int index, ChoiceNews? news)
        {
            if (news is null)
                WriteChoice(writer, index, [], "", true);
            else
                WriteChoice(writer, index, news.Tokens, news.Text.ToString(), false);
        }

        public void WriteChoice(Utf8JsonWriter writer, int index, string text, IReadOnlyList<TokenOutput> tokens) => WriteChoice(writer, index, tokens, text, echo);

        private void WriteChoice(Utf8JsonWriter writer, int index, IReadOnlyList<TokenOutput> tokens, string text, bool withPrompt)
        {
            if (settings.IsScoring)
                (text, tokens) = ("", []);
            var prompt = prompts[index / settings.Choices];
            writer.WriteString("text", withPrompt && model.Tokenizer is { } tokenizer ? tokenizer.Decode(prompt) + text : text);
            if (settings.Options.TopLogProbabilities is null || (tokens.Count == 0 && !withPrompt))
            {
                writer.WriteNull("logprobs");
                return;
            }

            var entries = tokens.Select(token => (token.LogProbabilities!.Chosen.Token, Probabilities: (TokenLogProbabilities?)token.LogProbabilities));
            if (withPrompt)
            {
                // Nothing comes before the first token of a prompt, so nothing says how probable it was.
                entries = generations[index].PromptLogProbabilities.Select(probabilities => (probabilities.Chosen.Token, (TokenLogProbabilities?)probabilities))
                    .Prepend((prompt[0], null)).Concat(entries);
            }

            WriteLogProbabilities(writer, model.RequireTokenizer(), [.. entries], ref offsets[index]);
        }

        private static void WriteLogProbabilities(
            Utf8JsonWriter writer, Tokenizer tokenizer, IReadOnlyList<(int Token, TokenLogProbabilities? Probabilities)> entries, ref int offset)
        {
            writer.WriteStartObject("logprobs");
            writer.WriteStartArray("tokens");
            foreach (var (token, _) in entries)
                writer.WriteStringValue(tokenizer.Piece(token));
            writer.WriteEndArray();
            writer.WriteStartArray("token_logprobs");
            foreach (var (_, probabilities) in entries)
            {
                if (probabilities is null)
                    writer.WriteNullValue();
                else
                    writer.WriteNumberValue(LogProbabilityWriter.Value(probabilities.Chosen.Value));
            }

            writer.WriteEndArray();
            writer.WriteStartArray("top_logprobs");
            foreach (var (_, probabilities) in entries)
                WriteTop(writer, tokenizer, probabilities);
            writer.WriteEndArray();
            writer.WriteStartArray("text_offset");
            foreach (var (token, _) in entries)
            {
                writer.WriteNumberValue(offset);
                offset += tokenizer.IsSpecial(token) ? 0 : tokenizer.Piece(token).Length;
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        private static void WriteTop(Utf8JsonWriter writer, Tokenizer tokenizer, TokenLogProbabilities? probabilities)
        {
            if (probabilities is null)
            {
                writer.WriteNullValue();
                return;
            }

            writer.WriteStartObject();
            // Two tokens may have one text: a JSON object has room for the more probable one.
            foreach (var entry in probabilities.Top.Append(probabilities.Chosen).DistinctBy(entry => tokenizer.Piece(entry.Token)))
                writer.WriteNumber(tokenizer.Piece(entry.Token), LogProbabilityWriter.Value(entry.Value));
            writer.WriteEndObject();
        }
    }
}
