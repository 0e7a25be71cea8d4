using System.Diagnostics;
using Weft.Backends.Cuda.Operations;
using Weft.Graph;
using Weft.Interop;

namespace Weft.Backends.Cuda;

/// <summary>
/// Measures, on the device that a model was loaded onto, which way its quantized products are fastest, and has them take it. Products alike
/// in different layers run one after another, as in a step, so that weights come from memory and not from a cache that the last run left.
/// </summary>
/// <param name="context">The device.</param>
/// <param name="stream">Where products run.</param>
/// <param name="mostRows">Of a value in a step.</param>
internal sealed class ProductTimer(CudaContext context, CudaStream stream, Func<Value, int> mostRows)
{
    private const int MostProducts = 4;
    private const int Repeats = 5;
    private static readonly TimeSpan Enough = TimeSpan.FromMilliseconds(20); // of repeats of something slow

    /// <summary>Measures and chooses.</summary>
    /// <param name="operations">Bound, with kernels loaded and weights in place.</param>
    /// <param name="given">Is taken without measuring.</param>
    /// <returns>What was chosen, a line for each kind of product.</returns>
    public IReadOnlyList<string> Choose(IEnumerable<CudaOperation> operations, ProductWays? given)
    {
        var choices = new List<string>();
        foreach (var alike in operations.OfType<QuantizedLinearOperation>().GroupBy(product => product.Kind))
        {
            var products = alike.Take(MostProducts).ToList();
            var ways = given ?? ProductWays.Measure(
                QuantizedLinearOperation.WaysOf(context.Device), mostRows(products[0].Result), (way, rows) => Time(products, way, rows));
            foreach (var product in alike)
                product.Ways = ways;
            choices.Add($"{alike.Key}: {ways}");
        }

        return choices;
    }

    /// <summary>Median milliseconds of all of <paramref name="products"/>, replayed as a graph so that the host's part does not count.</summary>
    private double Time(List<QuantizedLinearOperation> products, ProductWay way, int rows)
    {
        // Once outside the graph: cuBLAS chooses an algorithm.
        RunAll();
        stream.BeginCapture();
        try
        {
            RunAll();
        }
        catch
        {
            stream.AbandonCapture();
            throw;
        }

        using var graph = stream.EndCapture();
        using var exec = graph.Instantiate();
        using var start = CudaEvent.Create(context, EventTiming.Timed);
        using var end = CudaEvent.Create(context, EventTiming.Timed);
        var times = new List<double>();
        var clock = Stopwatch.StartNew();
        do
        {
            start.Record(stream);
            exec.Launch(stream);
            end.Record(stream);
            end.Synchronize();
            times.Add(CudaEvent.ElapsedMilliseconds(start, end));
        }
        while (times.Count < Repeats && clock.Elapsed < Enough);
        times.Sort();
        return times[times.Count / 2];

        void RunAll()
        {
            foreach (var product in products)
                product.Multiply(rows, way);
        }
    }
}
