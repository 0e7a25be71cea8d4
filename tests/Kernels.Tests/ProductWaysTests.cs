using Weft.Backends.Cuda.Operations;

namespace Weft.Kernels.Tests;

public sealed class ProductWaysTests
{
    private static readonly ProductWay[] All = [ProductWay.Warp, ProductWay.Warpgroup, ProductWay.Numbers];

    /// <summary>Codes read once for each 64 rows, wgmma at half the price but with an overhead, and numbers that cost the same for any number of rows until there are many.</summary>
    private static double Time(ProductWay way, int rows) => way switch
    {
        ProductWay.Warp => 10 + rows,
        ProductWay.Warpgroup => 40 + (rows / 2.0),
        _ => 200 + (rows / 8.0),
    };

    [Test]
    public void The_fastest_way_is_taken_for_each_number_of_rows()
    {
        var ways = ProductWays.Measure(All, 2000, Time);
        Assert.That(((int[])[1, 8, 9, 16, 32, 33, 64]).Select(ways.At), Is.All.EqualTo(ProductWay.Warp));
        Assert.That(((int[])[65, 100, 128, 256]).Select(ways.At), Is.All.EqualTo(ProductWay.Warpgroup));
        Assert.That(((int[])[257, 512, 1024, 1025, 2000, 5000]).Select(ways.At), Is.All.EqualTo(ProductWay.Numbers));
        Assert.That(ways.ToString(), Is.EqualTo("mma.sync to 64 rows, wgmma to 256 rows, dequantize and cuBLAS to 2000 rows"));
    }

    [Test]
    public void Each_way_is_measured_once_for_each_number_of_rows_that_a_step_can_have()
    {
        var measured = new List<(ProductWay, int)>();
        _ = ProductWays.Measure(All, 100, (way, rows) =>
        {
            measured.Add((way, rows));
            return 1;
        });
        Assert.That(measured, Is.EquivalentTo(from way in All from rows in (int[])[16, 32, 64, 100] select (way, rows)));
    }

    [Test]
    public void A_way_that_is_hardly_faster_is_not_worth_other_bits()
    {
        var ways = ProductWays.Measure(All, 64, (way, _) => way == ProductWay.Warp ? 1 : 0.96);
        Assert.That(ways.ToString(), Is.EqualTo("mma.sync to 64 rows"));
    }

    [Test]
    public void A_step_of_eight_rows_has_nothing_to_choose() =>
        Assert.That(ProductWays.Measure(All, 8, (_, _) => throw new AssertionException("measured")).At(8), Is.EqualTo(ProductWay.Warp));
}
