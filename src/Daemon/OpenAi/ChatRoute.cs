using System.Text.Json;
using Microsoft.AspNetCore.Http;
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
        var prompt = model.RequireTokenizer().Encode(ChatMessages.Render(fields, model), addSpecialTokens: false);
        var top = fields.Flag("logprobs") is true ? fields.Integer("top_logprobs") ?? 0 : (int?)null;
        if (top is null && fields.Integer("top_logprobs") is > 0)
            throw ApiException.BadRequest("'top_logprobs' is only for requests with 'logprobs': true.", "top_logprobs");
        var settings = GenerationFields.Read(fields, context, model, model.Facts.ContextLength, top);
        var generations = settings.Start(model, [prompt], context.RequestAborted);
        await new Answer(context, model, settings, generations, new Format(model.RequireTokenizer(), top is not null)).SendAsync().ConfigureAwait(false);
    }

    private sealed class Format(Tokenizer tokenizer, bool hasLogProbabilities) : IAnswerFormat
    {
        public string IdPrefix => "chatcmpl-";

        public string Object => "chat.completion";

        public string ChunkObject => "chat.completion.chunk";

        public bool HasOpening => true;

        public void WriteChunk(Utf8JsonWriter writer, int index, ChoiceNews? news)
        {
            writer.WriteStartObject("delta");
            if (news is null)
                writer.WriteString("role", "assistant");
            if (news is null || news.Text.Length > 0)
                writer.WriteString("content", news?.Text.ToString() ?? "");
            writer.WriteEndObject();
            WriteLogProbabilities(writer, news?.Tokens ?? []);
        }

        public void WriteChoice(Utf8JsonWriter writer, int index, string text, IReadOnlyList<TokenOutput> tokens)
        {
            writer.WriteStartObject("message");
            writer.WriteString("role", "assistant");
            writer.WriteString("content", text);
            writer.WriteNull("refusal");
            writer.WriteEndObject();
            WriteLogProbabilities(writer, tokens);
        }

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
