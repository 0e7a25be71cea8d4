using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Weft.Extensions.AI.Tests;

/// <summary>A model behind the interfaces of Microsoft.Extensions.AI.</summary>
[TestFixture]
public sealed class ClientTests
{
    private LanguageModel model = null!;
    private WeftChatClient client = null!;

    [OneTimeSetUp]
    public void Load()
    {
        model = LanguageModel.Load(Bard.ChatFile);
        client = new WeftChatClient(model);
    }

    [OneTimeTearDown]
    public void Unload()
    {
        client.Dispose();
        model.Dispose();
    }

    [Test]
    public async Task An_answer_is_what_the_model_writes_after_the_template()
    {
        var expected = Continue("USER:\nWho is there?\n\nASSISTANT:\n", 20);
        var response = await client.GetResponseAsync("Who is there?", new() { MaxOutputTokens = 20, Temperature = 0 });
        Assert.That(response.Text, Is.EqualTo(expected).And.Not.Empty);
        Assert.That((response.FinishReason, response.ModelId), Is.EqualTo((ChatFinishReason.Length, "chat")));
        Assert.That((response.Usage!.OutputTokenCount, response.Usage.TotalTokenCount), Is.EqualTo((20, response.Usage.InputTokenCount + 20)));
    }

    [Test]
    public async Task A_stream_gives_the_same_in_pieces_and_ends_with_usage()
    {
        var options = new ChatOptions { MaxOutputTokens = 30, Temperature = 0.9f, Seed = 5, TopK = 40 };
        var updates = await Collect(client.GetStreamingResponseAsync("Speak", options));
        var whole = updates.ToChatResponse();
        Assert.That(updates, Has.Count.GreaterThan(5));
        Assert.That(whole.Text, Is.EqualTo((await client.GetResponseAsync("Speak", options)).Text));
        Assert.That((whole.FinishReason, whole.Usage!.OutputTokenCount), Is.EqualTo((ChatFinishReason.Length, 30)));
    }

    [Test]
    public async Task Instructions_stop_sequences_and_history_count()
    {
        var options = new ChatOptions { MaxOutputTokens = 60, Temperature = 0, Instructions = "Be brief." };
        var history = new[] { new ChatMessage(ChatRole.User, "One"), new ChatMessage(ChatRole.Assistant, "Two"), new ChatMessage(ChatRole.User, "Three") };
        var text = (await client.GetResponseAsync(history, options)).Text;
        Assert.That(text, Is.EqualTo(Continue("SYSTEM:\nBe brief.\n\nUSER:\nOne\n\nASSISTANT:\nTwo\n\nUSER:\nThree\n\nASSISTANT:\n", 60)));
        options.StopSequences = [text[10..13]];
        var stopped = await client.GetResponseAsync(history, options);
        Assert.That((stopped.Text, stopped.FinishReason), Is.EqualTo((text[..text.IndexOf(text[10..13], StringComparison.Ordinal)], ChatFinishReason.Stop)));
    }

    [Test]
    public void What_it_cannot_do_is_said()
    {
        Assert.That(() => client.GetResponseAsync("a", new() { Tools = [AIFunctionFactory.Create(() => 1)] }), Throws.TypeOf<NotSupportedException>());
        Assert.That(() => client.GetResponseAsync("a", new() { ResponseFormat = ChatResponseFormat.Json }), Throws.TypeOf<NotSupportedException>());
        Assert.That(() => client.GetResponseAsync("a", new() { Temperature = -1 }), Throws.TypeOf<OptionException>());
        Assert.That(() => client.GetResponseAsync(new string('a', 5000)), Throws.TypeOf<OptionException>().With.Message.Contains("context"));
    }

    [Test]
    public async Task Cancelling_stops_the_engine()
    {
        using var cancellation = new CancellationTokenSource();
        Assert.That(
            async () =>
            {
                await foreach (var update in client.GetStreamingResponseAsync("Speak", new() { MaxOutputTokens = 200, StopSequences = [] }, cancellation.Token))
                    await cancellation.CancelAsync();
            },
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(() => model.Engine.Statistics is { Running: 0, UsedBlocks: 0 }, Is.True.After(2000, 5));
        // A consumer that stops reading is enough, too.
        await foreach (var piece in model.GenerateAsync("ROMEO:", new() { MaxTokens = 200, IgnoreEos = true }))
            break;
        Assert.That(() => model.Engine.Statistics is { Running: 0, UsedBlocks: 0 }, Is.True.After(2000, 5));
    }

    [Test]
    public async Task A_container_has_the_clients_and_disposes_the_model()
    {
        var services = new ServiceCollection().AddWeft(Bard.ChatFile, new() { MaxSequences = 4 });
        LanguageModel loaded;
        await using (var provider = services.BuildServiceProvider())
        {
            var chat = provider.GetRequiredService<IChatClient>();
            var embedder = provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
            loaded = chat.GetRequiredService<LanguageModel>();
            Assert.That(embedder.GetRequiredService<LanguageModel>(), Is.SameAs(loaded));
            Assert.That(chat.GetRequiredService<ChatClientMetadata>().ProviderName, Is.EqualTo("weft"));
            var embeddings = await embedder.GenerateAsync(["ROMEO:", "JULIET:"]);
            Assert.That(embeddings.Select(embedding => embedding.Vector.Length), Is.EqualTo(new[] { 256, 256 }));
            Assert.That(embeddings.Usage!.InputTokenCount, Is.Positive);
            Assert.That((await embedder.GenerateVectorAsync("ROMEO:")).ToArray(), Is.EqualTo(embeddings[0].Vector.ToArray()));
        }

        Assert.That(() => loaded.Engine.Start([1], new()), Throws.TypeOf<EngineException>());
    }

    /// <summary>What the engine writes greedily after a text as it is, without special tokens.</summary>
    private string Continue(string text, int tokens)
    {
        using var generation = model.Engine.Start(model.Tokenizer.Encode(text, addSpecialTokens: false), new() { MaxTokens = tokens, Sampling = model.RecommendedSampling with { Temperature = 0 } });
        var written = "";
        generation.Wait(piece => written += piece);
        return written;
    }

    private static async Task<List<T>> Collect<T>(IAsyncEnumerable<T> source)
    {
        var items = new List<T>();
        await foreach (var item in source)
            items.Add(item);
        return items;
    }
}
