using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Chat;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Requests;
using Weft.Daemon.Streaming;
using Weft.Tokenizers;

namespace Weft.Daemon.OpenAi;

/// <summary><c>POST /v1/chat/completions</c>: messages in, the assistant's next one out.</summary>
internal static class ChatRoute
{
    /// <summary>Answers a request.</summary>
    public static async Task HandleAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var model = models.Find(fields.Text("model"));
        var text = ChatMessages.Render(fields, model);
        var top = fields.Flag("logprobs") is true ? fields.Integer("top_logprobs") ?? 0 : (int?)null;
        if (top is null && fields.Integer("top_logprobs") is > 0)
            throw ApiException.BadRequest("'top_logprobs' is only for requests with 'logprobs': true.", "top_logprobs");
        var splitsReasoning = SplitsReasoning(fields);
        var settings = GenerationFields.Read(fields, context, model, model.Facts.ContextLength, top).EndingBefore(model.ChatStops);
        var generations = settings.Start(model, [model.EncodeChat(text)], context.RequestAborted);
        var splitters = splitsReasoning ? generations.Select(_ => new ReasoningSplitter(ReasoningSplitter.IsOpenAfter(text))).ToList() : null;
        await new Answer(context, model, settings, generations, new Format(model.RequireTokenizer(), top is not null, splitters)).SendAsync().ConfigureAwait(false);
    }

    /// <summary>llama.cpp's field: whether thoughts go into a field of their own, as they do unless it is 'none'.</summary>
    private static bool SplitsReasoning(Fields fields) => fields.Text("reasoning_format") switch
    {
        null or "auto" or "deepseek" => true,
        "none" => false,
        var other => throw ApiException.BadRequest($"'reasoning_format' is '{other}', but must be 'auto', 'deepseek' or 'none'.", "reasoning_format"),
    };

    private sealed class Format(Tokenizer tokenizer, bool hasLogProbabilities, IReadOnlyList<ReasoningSplitter>? splitters) : IAnswerFormat
    {
        public string IdPrefix => "chatcmpl-";

        public string Object => "chat.completion";

        public string ChunkObject => "chat.completion.chunk";

        public bool HasOpening => true;

        public void WriteChunk(Utf8JsonWriter writer, int index, ChoiceNews? news)
        {
            writer.WriteStartObject("delta");
            if (news is null)
            {
                writer.WriteString("role", "assistant");
                writer.WriteString("content", "");
            }
            else
            {
                var (reasoning, answer) = Split(index, news.Text.ToString(), isLast: news.Text.Length == 0 && news.Ended);
                if (reasoning.Length > 0)
                    writer.WriteString("reasoning_content", reasoning);
                if (answer.Length > 0)
                    writer.WriteString("content", answer);
            }

            writer.WriteEndObject();
            WriteLogProbabilities(writer, news?.Tokens ?? []);
        }

        public void WriteChoice(Utf8JsonWriter writer, int index, string text, IReadOnlyList<TokenOutput> tokens)
        {
            writer.WriteStartObject("message");
            var (thoughts, answer) = Split(index, text, isLast: false);
            var (lastThoughts, end) = Split(index, "", isLast: true);
            writer.WriteString("role", "assistant");
            if (thoughts.Length + lastThoughts.Length > 0)
                writer.WriteString("reasoning_content", thoughts + lastThoughts);
            writer.WriteString("content", answer + end);
            writer.WriteNull("refusal");
            writer.WriteEndObject();
            WriteLogProbabilities(writer, tokens);
        }

        private (string Reasoning, string Answer) Split(int index, string text, bool isLast) =>
            splitters is null ? ("", text) : isLast ? splitters[index].Finish() : splitters[index].Push(text);

        private void WriteLogProbabilities(Utf8JsonWriter writer, IReadOnlyList<TokenOutput> tokens)
        {
            if (!hasLogProbabilities || tokens.Count == 0)
            {
                writer.WriteNull("logprobs");
                return;
            }

            writer.WriteStartObject("logprobs");
            writer.WriteStartArray("content");
            foreach (var probabilities in tokens.Select(token => token.LogProbabilities!))
            {
                writer.WriteStartObject();
                LogProbabilityWriter.Write(writer, tokenizer, probabilities.Chosen);
                writer.WriteStartArray("top_logprobs");
                foreach (var entry in probabilities.Top)
                {
                    writer.WriteStartObject();
                    LogProbabilityWriter.Write(writer, tokenizer, entry);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteNull("refusal");
            writer.WriteEndObject();
        }
    }
}
