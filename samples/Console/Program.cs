// A model in this process: two texts at a time, streamed, stopped by Ctrl-C, and how alike the two are.
//   weft convert models/bard -o bard.weft
//   dotnet run --project samples/Console -- bard.weft
using Weft;

if (args is not [var path])
{
    Console.Error.WriteLine("usage: Console MODEL.weft");
    return 2;
}

using var cancellation = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    cancellation.Cancel();
};

using var model = LanguageModel.Load(path);
var options = new GenerationOptions { MaxTokens = 40, Sampling = new() { Temperature = 0.8f, TopP = 0.95f, Seed = 1 } };

// Both run at the same time, in the same steps.
var texts = await Task.WhenAll(WriteAsync("ROMEO:"), WriteAsync("JULIET:"));
foreach (var text in texts)
    Console.WriteLine(text);

var vectors = await Task.WhenAll(texts.Select(text => model.EmbedAsync(text, cancellationToken: cancellation.Token)));
Console.WriteLine($"similarity {vectors[0].Zip(vectors[1], (x, y) => x * y).Sum():F3}");
return 0;

async Task<string> WriteAsync(string prompt)
{
    var text = prompt;
    await foreach (var piece in model.GenerateAsync(prompt, options, cancellation.Token))
        text += piece;
    return text;
}
