using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Hosting;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Streaming;

namespace Weft.Daemon.OpenAi;

/// <summary>An answer of OpenAI's API, whole or streamed: id, time, model, choices and usage.</summary>
internal sealed class Answer(HttpContext context, ServedModel model, GenerationFields fields, IReadOnlyList<Generation> generations, IAnswerFormat format)
{
    private readonly string id = format.IdPrefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
    private readonly long created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    private readonly TimeSpan ping = context.RequestServices.GetService(typeof(DaemonOptions)) is DaemonOptions options ? options.PingInterval : TimeSpan.FromSeconds(5);

    /// <summary>Sends it.</summary>
    public async Task SendAsync()
    {
        RequestLog.Note(context, model.Name, generations);
        using var reader = new ChoiceReader(generations);
        if (fields.Stream)
            await StreamAsync(reader).ConfigureAwait(false);
        else
            await SendWholeAsync(reader).ConfigureAwait(false);
    }

    private async Task SendWholeAsync(ChoiceReader reader)
    {
        var texts = generations.Select(_ => new System.Text.StringBuilder()).ToList();
        var tokens = generations.Select(_ => new List<TokenOutput>()).ToList();
        await reader.WaitForEndAsync().ConfigureAwait(false);
        while (!reader.IsDone)
        {
            await reader.ReadAsync(Timeout.InfiniteTimeSpan).ConfigureAwait(false);
            for (var i = 0; i < generations.Count; i++)
            {
                texts[i].Append(reader.News[i].Text);
                tokens[i].AddRange(reader.News[i].Tokens);
            }
        }

        await JsonResponse.WriteAsync(context, writer =>
        {
            WriteHead(writer, format.Object);
            writer.WriteStartArray("choices");
            for (var i = 0; i < generations.Count; i++)
            {
                writer.WriteStartObject();
                writer.WriteNumber("index", i);
                format.WriteChoice(writer, i, texts[i].ToString(), tokens[i]);
                WriteEnd(writer, generations[i]);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WritePropertyName("usage");
            WriteUsage(writer);
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }

    private async Task StreamAsync(ChoiceReader reader)
    {
        using var events = new EventStream(context);
        var opened = new bool[generations.Count];
        try
        {
            while (!reader.IsDone)
            {
                var open = reader.News.Select(news => !news.Ended).ToArray();
                if (!await reader.ReadAsync(ping).ConfigureAwait(false))
                {
                    await events.PingAsync().ConfigureAwait(false);
                    continue;
                }

                for (var i = 0; i < generations.Count; i++)
                {
                    if (open[i] && reader.News[i].IsNew)
                        WriteNews(events, i, reader.News[i], ref opened[i]);
                }

                await events.FlushAsync().ConfigureAwait(false);
            }

            if (fields.IncludeUsage)
            {
                events.Write(this, static (writer, answer) =>
                {
                    answer.WriteHead(writer, answer.Format.ChunkObject);
                    writer.WriteStartArray("choices");
                    writer.WriteEndArray();
                    writer.WritePropertyName("usage");
                    answer.WriteUsage(writer);
                    writer.WriteEndObject();
                });
            }

            await events.DoneAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (events.HasStarted && failure is WeftException)
        {
            RequestLog.NoteFailure(context, failure);
            events.Write(ApiException.Of(failure), JsonResponse.Write);
            await events.FlushAsync().ConfigureAwait(false);
        }
    }

    private IAnswerFormat Format => format;

    private void WriteNews(EventStream events, int index, ChoiceNews news, ref bool opened)
    {
        if (!opened)
        {
            opened = true;
            if (format.HasOpening)
                WriteChunk(events, index, null, null);
        }

        if (news.Text.Length > 0 || news.Tokens.Count > 0)
            WriteChunk(events, index, news, null);
        if (!news.Ended)
            return;
        news.Clear();
        WriteChunk(events, index, news, generations[index]);
    }

    private void WriteChunk(EventStream events, int index, ChoiceNews? news, Generation? ended) =>
        events.Write((Answer: this, index, news, ended), static (writer, state) =>
        {
            state.Answer.WriteHead(writer, state.Answer.Format.ChunkObject);
            writer.WriteStartArray("choices");
            writer.WriteStartObject();
            writer.WriteNumber("index", state.index);
            state.Answer.Format.WriteChunk(writer, state.index, state.news);
            WriteEnd(writer, state.ended);
            writer.WriteEndObject();
            writer.WriteEndArray();
            if (state.Answer.IncludeUsage)
                writer.WriteNull("usage");
            writer.WriteEndObject();
        });

    private bool IncludeUsage => fields.IncludeUsage;

    private void WriteHead(Utf8JsonWriter writer, string kind)
    {
        writer.WriteStartObject();
        writer.WriteString("id", id);
        writer.WriteString("object", kind);
        writer.WriteNumber("created", created);
        writer.WriteString("model", model.Name);
    }

    private static void WriteEnd(Utf8JsonWriter writer, Generation? ended)
    {
        writer.WriteString("finish_reason", ended?.FinishReason switch
        {
            null => null,
            FinishReason.Length => "length",
            _ => "stop",
        });
        // vLLM's field: which stop string it was.
        if (ended?.StopString is { } stop)
            writer.WriteString("stop_reason", stop);
    }

    private void WriteUsage(Utf8JsonWriter writer)
    {
        // Every choice of a prompt reads the same prompt, which counts once.
        var prompt = generations.Where((_, i) => i % fields.Choices == 0).Sum(generation => generation.PromptTokens);
        var completion = fields.IsScoring ? 0 : generations.Sum(generation => generation.GeneratedTokens);
        writer.WriteStartObject();
        writer.WriteNumber("prompt_tokens", prompt);
        writer.WriteNumber("completion_tokens", completion);
        writer.WriteNumber("total_tokens", prompt + completion);
        writer.WriteStartObject("prompt_tokens_details");
        writer.WriteNumber("cached_tokens", generations.Where((_, i) => i % fields.Choices == 0).Sum(generation => generation.CachedTokens));
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
