using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Requests;
using Weft.Tokenizers;

namespace Weft.Daemon.LlamaCpp;

/// <summary>llama.cpp's routes about tokens and templates; with <c>model</c> where several are served.</summary>
internal static class TokenRoutes
{
    /// <summary><c>POST /tokenize</c>: <c>content</c> becomes <c>tokens</c>, with their pieces if <c>with_pieces</c> is true.</summary>
    public static async Task TokenizeAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var tokenizer = models.Find(fields.Text("model")).RequireTokenizer();
        var content = fields.Text("content") ?? throw ApiException.BadRequest("'content' is missing.", "content");
        var tokens = tokenizer.Encode(content, fields.Flag("add_special") ?? false);
        var withPieces = fields.Flag("with_pieces") ?? false;
        await JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("tokens");
            foreach (var token in tokens)
            {
                if (withPieces)
                    WritePiece(writer, tokenizer, token);
                else
                    writer.WriteNumberValue(token);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }

    /// <summary><c>POST /detokenize</c>: <c>tokens</c> become <c>content</c>.</summary>
    public static async Task DetokenizeAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var tokenizer = models.Find(fields.Text("model")).RequireTokenizer();
        if (fields.Any("tokens") is null)
            throw ApiException.BadRequest("'tokens' is missing.", "tokens");
        var text = tokenizer.Decode([.. fields.Integers("tokens")], skipSpecialTokens: false);
        await WriteTextAsync(context, "content", text).ConfigureAwait(false);
    }

    /// <summary><c>POST /apply-template</c>: <c>messages</c> become a <c>prompt</c>.</summary>
    public static async Task ApplyTemplateAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        await WriteTextAsync(context, "prompt", ChatMessages.Render(fields, models.Find(fields.Text("model")))).ConfigureAwait(false);
    }

    private static Task WriteTextAsync(HttpContext context, string name, string text) => JsonResponse.WriteAsync(context, writer =>
    {
        writer.WriteStartObject();
        writer.WriteString(name, text);
        writer.WriteEndObject();
    });

    /// <summary>A piece that is no text by itself is an array of its bytes.</summary>
    private static void WritePiece(Utf8JsonWriter writer, Tokenizer tokenizer, int token)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", token);
        var bytes = tokenizer.PieceBytes(token);
        if (System.Text.Unicode.Utf8.IsValid(bytes))
        {
            writer.WriteString("piece", bytes);
        }
        else
        {
            writer.WriteStartArray("piece");
            foreach (var value in bytes)
                writer.WriteNumberValue(value);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }
}
