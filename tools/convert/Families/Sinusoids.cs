namespace Weft.Convert.Families;

/// <summary>Tables of positions that are computed, not learned (Vaswani et al. 2017, arXiv 1706.03762).</summary>
internal static class Sinusoids
{
    /// <summary>[rows, width]: sines in the first half of a row, cosines in the second.</summary>
    /// <param name="rows">P.</param>
    /// <param name="width">C.</param>
    /// <param name="first">Position of the first row.</param>
    /// <param name="reachesLast">The last frequency is 1/10000, as in fairseq; otherwise one step before it.</param>
    public static float[] Table(int rows, int width, int first, bool reachesLast = true)
    {
        var table = new float[rows * width];
        var half = width / 2;
        for (var i = 0; i < half; i++)
        {
            var frequency = (float)Math.Exp(-i * Math.Log(10000) / (reachesLast ? half - 1 : half));
            for (var row = 0; row < rows; row++)
                (table[(row * width) + i], table[(row * width) + half + i]) = (MathF.Sin((row + first) * frequency), MathF.Cos((row + first) * frequency));
        }

        return table;
    }
}
