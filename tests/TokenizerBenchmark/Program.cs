using System.Diagnostics;
using System.Text;
using Weft.Convert.Tokenizers;
using Weft.Tokenizers;

// How fast a tokenizer loads, encodes and decodes, on one thread. Arguments: a checkpoint folder or a GGUF file, and a UTF-8 text.
if (args is not [var source, var textPath])
{
    Console.Error.WriteLine("usage: TokenizerBenchmark FOLDER|VOCABULARY.gguf TEXT");
    return 2;
}

var description = TokenizerReader.Read(source) ?? throw new Weft.WeftException($"{source}: there is no tokenizer here");
var text = File.ReadAllText(textPath);
var megabytes = Encoding.UTF8.GetByteCount(text) / 1e6;
var loads = Measure(9, () => Tokenizer.Create(description));
Console.WriteLine($"{description.Model.Tokens.Count} tokens: load median {loads[4].TotalMilliseconds:F1} ms, worst {loads[^1].TotalMilliseconds:F1} ms");

var tokenizer = Tokenizer.Create(description);
int[] ids = tokenizer.Encode(text, addSpecialTokens: false);
// A new tokenizer each time: no word is known from the run before.
var fresh = Enumerable.Range(0, 9).Select(_ => Tokenizer.Create(description)).ToArray();
var next = 0;
var encodes = Measure(9, () => fresh[next++].Encode(text, addSpecialTokens: false));
var decodes = Measure(9, () => tokenizer.Decode(ids));
Console.WriteLine($"{megabytes:F2} MB, {ids.Length} ids: encode median {megabytes / encodes[4].TotalSeconds:F1} MB/s, decode median {megabytes / decodes[4].TotalSeconds:F1} MB/s");
return tokenizer.Decode(ids) == text ? 0 : 1;

static List<TimeSpan> Measure(int count, Action action)
{
    var times = new List<TimeSpan>();
    for (var i = 0; i < count; i++)
    {
        var start = Stopwatch.GetTimestamp();
        action();
        times.Add(Stopwatch.GetElapsedTime(start));
    }

    times.Sort();
    return times;
}
