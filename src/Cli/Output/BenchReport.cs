using Weft.Cli.Probes;

namespace Weft.Cli.Output;

/// <summary>One measurement and the ceiling of the machine beside it.</summary>
/// <param name="TokensPerSecond">What was reached.</param>
/// <param name="Ceiling">The probe next to it: operations/s or bytes/s.</param>
internal readonly record struct Sample(double TokensPerSecond, double Ceiling);

/// <summary>What <c>weft bench</c> measured. A fraction compares each repetition with the probes right before and after it.</summary>
/// <param name="Model">Path as given.</param>
/// <param name="Device">What it ran on.</param>
/// <param name="MeasuredChoices">What loading it measured: <see cref="Weft.Model.MeasuredChoices"/>.</param>
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
    IReadOnlyList<string> MeasuredChoices,
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
    Spread PrefillFraction,
    Spread DecodeFraction)
{
    /// <summary>Summarises samples in tokens/s, GB/s and GFLOP/s.</summary>
    public static BenchReport Of(
        string name,
        Model model,
        string cache,
        int threads,
        (int Prefill, int Decode, int Repeat) shape,
        IReadOnlyCollection<Sample> prefills,
        IReadOnlyCollection<Sample> decodes)
    {
        var (operations, bytes) = (model.MatrixOperationsPerToken, model.WeightBytesPerToken);
        return new(
            name, model.DeviceName, model.MeasuredChoices, cache, threads, shape.Prefill, shape.Decode, shape.Repeat, bytes, operations,
            Of(prefills, sample => sample.TokensPerSecond),
            Of(prefills, sample => sample.TokensPerSecond * operations / 1e9),
            Of(decodes, sample => sample.TokensPerSecond),
            Of(decodes, sample => sample.TokensPerSecond * bytes / 1e9),
            Of(decodes, sample => sample.Ceiling / 1e9),
            Of(prefills, sample => sample.Ceiling / 1e9),
            Of(prefills, sample => sample.TokensPerSecond * operations / sample.Ceiling),
            Of(decodes, sample => sample.TokensPerSecond * bytes / sample.Ceiling));
    }

    private static Spread Of(IReadOnlyCollection<Sample> samples, Func<Sample, double> value) => Spread.Of([.. samples.Select(value)]);
}
