using Weft.Cli.Probes;

namespace Weft.Cli.Output;

/// <summary>What <c>weft bench</c> measured. Fractions compare medians of the same run.</summary>
/// <param name="Model">Path as given.</param>
/// <param name="Device">What it ran on.</param>
/// <param name="Cache">Element type of the key/value cache.</param>
/// <param name="Threads">Threads of the probes.</param>
/// <param name="PrefillTokens">Tokens of the prompt.</param>
/// <param name="DecodeTokens">Tokens decoded one a step.</param>
/// <param name="Repeat">Repetitions.</param>
/// <param name="WeightBytesPerToken">Bytes of weights that a decode step reads.</param>
/// <param name="MatrixOperationsPerToken">Operations of the matrix products of a token.</param>
/// <param name="PrefillTokensPerSecond">Prefill speed.</param>
/// <param name="PrefillGflops">The same in 10⁹ matrix operations/s.</param>
/// <param name="DecodeTokensPerSecond">Decode speed.</param>
/// <param name="DecodeGigabytesPerSecond">The same in 10⁹ bytes of weights/s.</param>
/// <param name="ReadGigabytesPerSecond">Memory bandwidth of this machine.</param>
/// <param name="FusedMultiplyAddGflops">Multiply-add rate of this machine.</param>
/// <param name="PrefillFraction">Prefill over the multiply-add rate.</param>
/// <param name="DecodeFraction">Decode over the memory bandwidth.</param>
internal sealed record BenchReport(
    string Model,
    string Device,
    string Cache,
    int Threads,
    int PrefillTokens,
    int DecodeTokens,
    int Repeat,
    long WeightBytesPerToken,
    long MatrixOperationsPerToken,
    Spread PrefillTokensPerSecond,
    Spread PrefillGflops,
    Spread DecodeTokensPerSecond,
    Spread DecodeGigabytesPerSecond,
    Spread ReadGigabytesPerSecond,
    Spread FusedMultiplyAddGflops,
    double PrefillFraction,
    double DecodeFraction)
{
    /// <summary>Summarises samples in tokens/s, GB/s and GFLOP/s.</summary>
    public static BenchReport Of(
        string name,
        Model model,
        string cache,
        int threads,
        (int Prefill, int Decode, int Repeat) shape,
        IReadOnlyCollection<double> prefills,
        IReadOnlyCollection<double> decodes,
        IReadOnlyCollection<double> bandwidths,
        IReadOnlyCollection<double> rates)
    {
        var (prefill, decode) = (Spread.Of(prefills), Spread.Of(decodes));
        var (gflops, gigabytes) = (prefill.Over(1e9 / model.MatrixOperationsPerToken), decode.Over(1e9 / model.WeightBytesPerToken));
        var (bandwidth, rate) = (Spread.Of(bandwidths), Spread.Of(rates));
        return new(
            name, model.DeviceName, cache, threads, shape.Prefill, shape.Decode, shape.Repeat,
            model.WeightBytesPerToken, model.MatrixOperationsPerToken,
            prefill, gflops, decode, gigabytes, bandwidth, rate,
            gflops.Median / rate.Median, gigabytes.Median / bandwidth.Median);
    }
}
