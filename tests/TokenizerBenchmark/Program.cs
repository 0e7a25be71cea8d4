using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Weft.Convert.Tokenizers;
using Weft.Tokenizers;
using Weft.Weights;

// How fast a tokenizer loads, encodes and decodes, on one thread. Arguments: a checkpoint folder or a GGUF file, and a UTF-8 text.
if (args is not [var source, var textPath])
{
    Console.Error.WriteLine("usage: TokenizerBenchmark FOLDER|VOCABULARY.gguf TEXT");
    return 2;
}

const int Runs = 9;
var start = Stopwatch.GetTimestamp();
var description = TokenizerReader.Read(source) ?? throw new Weft.WeftException($"{source}: there is no tokenizer here");
var convert = Stopwatch.GetElapsedTime(start);
var text = File.ReadAllText(textPath);
var megabytes = Encoding.UTF8.GetByteCount(text) / 1e6;

// As a packed file's header carries it.
var json = (JsonTypeInfo<TokenizerDescription>)WeftJson.Header.Options.GetTypeInfo(typeof(TokenizerDescription));
var header = JsonSerializer.SerializeToUtf8Bytes(description, json);
TokenizerDescription Parse() => HeaderObject.Parse(header, WeftHeaderParser.Tokenizer);
// The first time, as in a program that has just started, code is compiled as well.
start = Stopwatch.GetTimestamp();
Tokenizer.Create(Parse());
var cold = Stopwatch.GetElapsedTime(start);
var parses = Measure(() => Parse());
var creates = Measure(() => Tokenizer.Create(description));
Console.WriteLine($"{description.Model.Tokens.Count} tokens, {(description.Model.Merges?.Count ?? 0) / 2} merges: read from its files {convert.TotalMilliseconds:F0} ms; from {header.Length / 1e6:F1} MB of a packed file {cold.TotalMilliseconds:F1} ms the first time, then {Milliseconds(parses)} to parse and {Milliseconds(creates)} to build");

var tokenizer = Tokenizer.Create(description);
int[] ids = tokenizer.Encode(text, addSpecialTokens: false);
// A new tokenizer each time: no word is known from the run before.
var fresh = new Queue<Tokenizer>(Enumerable.Range(0, Runs).Select(_ => Tokenizer.Create(description)));
var first = Measure(() => fresh.Dequeue().Encode(text, addSpecialTokens: false));
var again = Measure(() => tokenizer.Encode(text, addSpecialTokens: false));
var decodes = Measure(() => tokenizer.Decode(ids));
Console.WriteLine($"{megabytes:F2} MB, {ids.Length} ids: encode {Speed(first)}, with words known {Speed(again)}, decode {Speed(decodes)}");
return tokenizer.Decode(ids) == text ? 0 : 1;

string Milliseconds(List<TimeSpan> times) => $"{times[Runs / 2].TotalMilliseconds:F1} ms (worst {times[^1].TotalMilliseconds:F1})";

string Speed(List<TimeSpan> times) => $"{megabytes / times[Runs / 2].TotalSeconds:F1} MB/s";

static List<TimeSpan> Measure(Action action)
{
    var times = new List<TimeSpan>();
    for (var i = 0; i < Runs; i++)
    {
        var start = Stopwatch.GetTimestamp();
        action();
        times.Add(Stopwatch.GetElapsedTime(start));
    }

    times.Sort();
    return times;
}
