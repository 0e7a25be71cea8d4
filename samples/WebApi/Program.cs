// A web service with a model in its own process: the endpoints know IChatClient and nothing of Weft.
//   dotnet run --project samples/WebApi -- --Model chat.weft --urls http://127.0.0.1:5000
//   curl -N "http://127.0.0.1:5000/ask?question=Who+are+you"
using Microsoft.Extensions.AI;
using Weft.Extensions.AI;

var builder = WebApplication.CreateBuilder(args);
var path = builder.Configuration["Model"] ?? throw new InvalidOperationException("Give the packed file of a model with a chat template: --Model chat.weft");
builder.Services.AddWeft(path, new() { MaxSequences = 8 });
var app = builder.Build();

// Streams the answer; a client that goes away stops the generation.
app.MapGet("/ask", (string question, IChatClient client, CancellationToken cancellation) =>
    TypedResults.ServerSentEvents(AnswerAsync(client, question, cancellation)));
app.Run();

static async IAsyncEnumerable<string> AnswerAsync(
    IChatClient client, string question, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
{
    await foreach (var update in client.GetStreamingResponseAsync(question, new ChatOptions { MaxOutputTokens = 60, Temperature = 0.7f }, cancellation))
    {
        if (update.Text.Length > 0)
            yield return update.Text;
    }
}
