using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Chat;
using Weft.Daemon.Errors;
using Weft.Daemon.Hosting;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Requests;
using Weft.Daemon.Streaming;

namespace Weft.Daemon.Ollama;

/// <summary><c>POST /api/chat</c> and <c>POST /api/generate</c>: answers as lines of JSON, streamed unless told otherwise; durations are nanoseconds.</summary>
internal static class OllamaGenerationRoutes
{
    /// <summary>Messages in, the assistant's next one out.</summary>
    public static async Task ChatAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var model = OllamaModelRoutes.Find(fields, models);
        // Without messages the model is only to be loaded, which it is.
        var prompt = fields.Array("messages") is { Count: > 0 } ? ChatMessages.Render(fields, model) : "";
        await AnswerAsync(context, fields, model, prompt.Length == 0 ? [] : model.EncodeChat(prompt), new(ReasoningSplitter.IsOpenAfter(prompt))).ConfigureAwait(false);
    }

    /// <summary>A prompt in, what follows out; with the chat template around it unless <c>raw</c>, where the model has one.</summary>
    public static async Task GenerateAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var model = OllamaModelRoutes.Find(fields, models);
        var prompt = fields.Text("prompt") ?? "";
        List<ChatMessage> messages = fields.Text("system") is { Length: > 0 } system ? [new("system", system), new("user", prompt)] : [new("user", prompt)];
        int[] tokens;
        if (prompt.Length == 0)
            tokens = [];
        else if (fields.Flag("raw") is true || model.Prompter is null)
            tokens = [.. fields.Integers("context"), .. model.RequireTokenizer().Encode(prompt, fields.Flag("raw") is not true)];
        else
            tokens = [.. fields.Integers("context"), .. model.EncodeChat(model.ApplyTemplate(messages))];
        await AnswerAsync(context, fields, model, tokens, null).ConfigureAwait(false);
    }

    /// <param name="context">The request.</param>
    /// <param name="fields">Its fields.</param>
    /// <param name="model">Answers it.</param>
    /// <param name="prompt">What it goes on from.</param>
    /// <param name="chat">Tells thoughts from the answer; null where the answer is no message.</param>
    private static async Task AnswerAsync(HttpContext context, Fields fields, ServedModel model, int[] prompt, ReasoningSplitter? chat)
    {
        var options = OllamaOptions.Read(fields, context, model);
        if (chat is not null)
            options = options with { StopStrings = [.. options.StopStrings, .. model.ChatStops] };
        var stream = fields.Flag("stream") ?? true;
        if (prompt.Length == 0)
        {
            await JsonResponse.WriteAsync(context, writer => WriteLast(writer, model, chat, "", null)).ConfigureAwait(false);
            return;
        }

        var generation = model.Engine.Start(prompt, options, context.RequestAborted);
        RequestLog.Note(context, model.Name, [generation]);
        using var reader = new ChoiceReader([generation]);
        if (stream)
            await StreamAsync(context, model, reader, generation, chat).ConfigureAwait(false);
        else
            await SendWholeAsync(context, model, reader, generation, chat).ConfigureAwait(false);
    }

    private static async Task SendWholeAsync(HttpContext context, ServedModel model, ChoiceReader reader, Generation generation, ReasoningSplitter? chat)
    {
        var text = new StringBuilder();
        await reader.WaitForEndAsync().ConfigureAwait(false);
        while (!reader.IsDone)
        {
            await reader.ReadAsync(Timeout.InfiniteTimeSpan).ConfigureAwait(false);
            text.Append(reader.News[0].Text);
        }

        await JsonResponse.WriteAsync(context, writer => WriteLast(writer, model, chat, text.ToString(), generation)).ConfigureAwait(false);
    }

    private static async Task StreamAsync(HttpContext context, ServedModel model, ChoiceReader reader, Generation generation, ReasoningSplitter? chat)
    {
        var hasStarted = false;
        try
        {
            while (!reader.IsDone)
            {
                await reader.ReadAsync(Timeout.InfiniteTimeSpan).ConfigureAwait(false);
                hasStarted = true;
                if (reader.News[0].Text.Length > 0)
                    await LineAsync(context, writer => WritePiece(writer, model, chat, reader.News[0].Text.ToString())).ConfigureAwait(false);
            }

            await LineAsync(context, writer => WriteLast(writer, model, chat, "", generation)).ConfigureAwait(false);
        }
        catch (WeftException failure) when (hasStarted)
        {
            RequestLog.NoteFailure(context, failure);
            await LineAsync(context, writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("error", ApiException.Of(failure).Message);
                writer.WriteEndObject();
            }).ConfigureAwait(false);
        }
    }

    private static async Task LineAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        if (!context.Response.HasStarted)
            context.Response.ContentType = "application/x-ndjson";
        var output = context.Response.BodyWriter;
        using (var writer = new Utf8JsonWriter(output, JsonResponse.Options))
            write(writer);
        output.GetSpan(1)[0] = (byte)'\n';
        output.Advance(1);
        await output.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    private static void WritePiece(Utf8JsonWriter writer, ServedModel model, ReasoningSplitter? chat, string text)
    {
        WriteHead(writer, model, chat, text, isLast: false);
        writer.WriteBoolean("done", false);
        writer.WriteEndObject();
    }

    private static void WriteLast(Utf8JsonWriter writer, ServedModel model, ReasoningSplitter? chat, string text, Generation? generation)
    {
        WriteHead(writer, model, chat, text, isLast: true);
        writer.WriteBoolean("done", true);
        writer.WriteString("done_reason", generation?.FinishReason switch { null => "load", FinishReason.Length => "length", _ => "stop" });
        if (generation is { Duration: { } duration })
        {
            var first = generation.TimeToFirstToken ?? duration;
            var start = generation.QueueTime ?? first;
            writer.WriteNumber("total_duration", Nanoseconds(duration));
            writer.WriteNumber("load_duration", Nanoseconds(start));
            writer.WriteNumber("prompt_eval_count", generation.PromptTokens);
            writer.WriteNumber("prompt_eval_duration", Nanoseconds(first - start));
            writer.WriteNumber("eval_count", generation.GeneratedTokens);
            writer.WriteNumber("eval_duration", Nanoseconds(duration - first));
        }

        writer.WriteEndObject();
    }

    private static void WriteHead(Utf8JsonWriter writer, ServedModel model, ReasoningSplitter? chat, string text, bool isLast)
    {
        writer.WriteStartObject();
        writer.WriteString("model", model.Name);
        writer.WriteString("created_at", DateTime.UtcNow.ToString("O", CultureInfo.InvariantCulture));
        if (chat is not null)
        {
            var (thoughts, answer) = chat.Push(text);
            var (lastThoughts, end) = isLast ? chat.Finish() : ("", "");
            writer.WritePropertyName("message");
            writer.WriteStartObject();
            writer.WriteString("role", "assistant");
            writer.WriteString("content", answer + end);
            if (thoughts.Length + lastThoughts.Length > 0)
                writer.WriteString("thinking", thoughts + lastThoughts);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteString("response", text);
        }
    }

    private static long Nanoseconds(TimeSpan time) => time.Ticks * TimeSpan.NanosecondsPerTick;
}
