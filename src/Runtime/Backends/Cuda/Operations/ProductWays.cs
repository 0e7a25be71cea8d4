using Weft.Backends.Cuda.Kernels;

namespace Weft.Backends.Cuda.Operations;

/// <summary>How a product with a quantized matrix is computed. The first gives a row the same bits whatever the number of rows.</summary>
internal enum ProductWay
{
    /// <summary>quantized_gemv for few rows, quantized_gemm with its instruction, <c>mma.sync</c>, for more.</summary>
    Warp,

    /// <summary>quantized_gemm with <c>wgmma</c>, where the device has it.</summary>
    Warpgroup,

    /// <summary>The matrix becomes numbers, which cuBLAS multiplies.</summary>
    Numbers,
}

/// <summary>
/// Which <see cref="ProductWay"/> a product takes for how many rows. Where another than the first pays depends on the device and on the matrix, so it is measured
/// there, when a model is loaded, and not written down here.
/// </summary>
internal sealed class ProductWays
{
    // Times of one thing differ by a few percent from moment to moment: a way that is not faster by more than that is not worth other bits.
    private const double WorthIt = 0.95;

    private readonly IReadOnlyList<(int Rows, ProductWay Way)> steps;

    private ProductWays(IReadOnlyList<(int Rows, ProductWay Way)> steps) => this.steps = steps;

    /// <summary><see cref="ProductWay.Warp"/> for any number of rows.</summary>
    public static ProductWays Invariant { get; } = new([]);

    /// <summary>Chooses among <paramref name="ways"/> for 16, 32, 64, … and <paramref name="mostRows"/> rows.</summary>
    /// <param name="ways">That there are, the preferred first.</param>
    /// <param name="mostRows">Largest number of rows.</param>
    /// <param name="time">Of a way with so many rows, in any unit.</param>
    public static ProductWays Measure(IReadOnlyList<ProductWay> ways, int mostRows, Func<ProductWay, int, double> time)
    {
        var steps = new List<(int, ProductWay)>();
        for (var rows = 2 * QuantizedGemvKernel.MostRows; rows / 2 < mostRows; rows *= 2)
        {
            var measured = Math.Min(rows, mostRows);
            var (way, best) = (ways[0], time(ways[0], measured));
            foreach (var other in ways.Skip(1))
            {
                if (time(other, measured) is var its && its < WorthIt * best)
                    (way, best) = (other, its);
            }

            steps.Add((measured, way));
        }

        return new(steps);
    }

    /// <summary>The way for <paramref name="rows"/> rows: that of the next larger number that was measured.</summary>
    public ProductWay At(int rows)
    {
        if (rows <= QuantizedGemvKernel.MostRows || steps.Count == 0)
            return ProductWay.Warp;
        foreach (var (most, way) in steps)
        {
            if (rows <= most)
                return way;
        }

        return steps[^1].Way;
    }

    /// <summary>Ranges of rows and their ways: "mma.sync to 64 rows, dequantize and cuBLAS to 2048".</summary>
    public override string ToString() => string.Join(", ", steps
        .Where((step, i) => i + 1 == steps.Count || steps[i + 1].Way != step.Way)
        .Select(step => $"{Name(step.Way)} to {step.Rows} rows"));

    private static string Name(ProductWay way) => way switch
    {
        ProductWay.Warp => "mma.sync",
        ProductWay.Warpgroup => "wgmma",
        _ => "dequantize and cuBLAS",
    };
}
