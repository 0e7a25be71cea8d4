using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Weft.Daemon.Errors;
using Weft.Daemon.LlamaCpp;
using Weft.Daemon.Models;
using Weft.Daemon.Ollama;
using Weft.Daemon.OpenAi;
using Weft.Daemon.Operations;
using Weft.Daemon.Web;

namespace Weft.Daemon.Hosting;

/// <summary>Every route of the server.</summary>
internal static class Routes
{
    /// <summary>Routes that are specified and come later; asked for, they say so.</summary>
    private static readonly string[] Later =
        ["/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1/load_lora_adapter", "/v1/unload_lora_adapter"];

    /// <summary>Maps them.</summary>
    public static void Map(WebApplication app, ModelDirectory models, MetricsPage metrics, DaemonOptions options)
    {
        // The page's answer to HEAD / is what Ollama's command line asks for before anything else.
        foreach (var path in WebPage.Paths)
            Get(path, WebPage.SendAsync);
        Get("/health", context => HealthRoute.HealthAsync(context, models, options));
        Get("/version", context => HealthRoute.VersionAsync(context, options));
        Get("/openapi.json", OpenApiDocument.WriteAsync);
        Get("/metrics", context => metrics.WriteAsync(context, models));

        Post("/v1/chat/completions", context => ChatRoute.HandleAsync(context, models));
        Post("/v1/completions", context => CompletionRoute.HandleAsync(context, models));
        Post("/v1/embeddings", context => EmbeddingsRoute.HandleAsync(context, models));
        Get("/v1/models", context => ModelsRoute.ListAsync(context, models));
        Get("/v1/models/{**id}", context => ModelsRoute.GetAsync(context, models));

        Post("/tokenize", context => TokenRoutes.TokenizeAsync(context, models));
        Post("/detokenize", context => TokenRoutes.DetokenizeAsync(context, models));
        Post("/apply-template", context => TokenRoutes.ApplyTemplateAsync(context, models));
        Get("/props", context => PropertyRoutes.PropertiesAsync(context, models));
        Get("/slots", context => PropertyRoutes.SlotsAsync(context, models));

        Post("/api/chat", context => OllamaGenerationRoutes.ChatAsync(context, models));
        Post("/api/generate", context => OllamaGenerationRoutes.GenerateAsync(context, models));
        Post("/api/embed", context => OllamaEmbedRoutes.EmbedAsync(context, models));
        Post("/api/embeddings", context => OllamaEmbedRoutes.EmbedOneAsync(context, models));
        Post("/api/show", context => OllamaModelRoutes.ShowAsync(context, models));
        Get("/api/tags", context => OllamaModelRoutes.TagsAsync(context, models));
        Get("/api/ps", context => OllamaModelRoutes.RunningAsync(context, models));
        Get("/api/version", context => HealthRoute.VersionAsync(context, options));

        foreach (var path in Later)
            Post(path, _ => throw ApiException.NotImplemented($"The route {path} is not supported yet."));
        app.Use(ExplainAsync);

        void Get(string path, RequestDelegate handle) => app.MapMethods(path, [HttpMethods.Get, HttpMethods.Head], handle);
        void Post(string path, RequestDelegate handle) => app.MapMethods(path, [HttpMethods.Post], handle);
    }

    /// <summary>Routing answers what it has no route for with a status alone, and for a wrong method with the header Allow.</summary>
    private static async Task ExplainAsync(HttpContext context, RequestDelegate next)
    {
        await next(context).ConfigureAwait(false);
        switch (context.Response)
        {
            case { HasStarted: false, StatusCode: StatusCodes.Status404NotFound }:
                throw ApiException.NotFound($"There is nothing at {context.Request.Method} {context.Request.Path}.");
            case { HasStarted: false, StatusCode: StatusCodes.Status405MethodNotAllowed }:
                throw ApiException.WrongMethod(context.Request.Method, context.Request.Path, context.Response.Headers.Allow);
        }
    }
}
