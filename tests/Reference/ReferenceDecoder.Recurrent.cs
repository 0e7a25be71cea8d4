using Weft.Models;

namespace Weft.Reference;

/// <content>Blocks that carry a state.</content>
public sealed partial class ReferenceDecoder
{
    private double[]? firstValues;

    private double[] TimeMix(double[] x, TimeMixDescription mix, string prefix)
    {
        var (c, a) = (model.HiddenSize, mix.Width);
        var delta = ReferenceRecurrent.Shift(x, c);
        double[] Vector(string name) => tensors[prefix + name];
        double[] Mixed(string name, double[]? amount = null) =>
            [.. x.Select((value, i) => value + (delta[i] * (Vector(name)[i % c] + (amount?[i] ?? 0))))];
        double[] LowRank(string name, double[] input, int rank, Func<double, double> f, bool bias) =>
            Linear(Array.ConvertAll(Linear(input, prefix + name + "_in", c, false), value => f(value)), prefix + name + "_out", rank, bias);
        double[] Input(string name) => mix.Kind == TimeMixKind.DynamicDecay
            ? Mixed(name + "_mix", LowRank(name + "_mix", Mixed("mix"), mix.MixRank, Math.Tanh, false))
            : Mixed(name + "_mix");
        double[] Project(string name) => Linear(Input(name), prefix + name, c, false);

        var (r, k, v) = (Project("receptance"), Project("key"), Project("value"));
        double[] result;
        switch (mix.Kind)
        {
            case TimeMixKind.Average:
                result = Multiply(Array.ConvertAll(r, Sigmoid), ReferenceRecurrent.Average(Vector("decay"), Vector("first"), k, v));
                break;
            case TimeMixKind.DeltaRule:
                if (mix.ValueRank > 0)
                    v = [.. LowRank("value", Input("value"), mix.ValueRank, y => y, true).Select((amount, i) => v[i] + ((firstValues![i] - v[i]) * Sigmoid(amount)))];
                else
                    firstValues = v;
                var w = Array.ConvertAll(LowRank("decay", Input("decay"), mix.DecayRank, Math.Tanh, true), d => Math.Exp(-Math.Exp(-0.5) * Sigmoid(d)));
                var rate = Array.ConvertAll(LowRank("rate", Input("rate"), mix.RateRank, y => y, true), Sigmoid);
                double[] kappa = [.. k.Select((key, i) => key * Vector("key_scale")[i % a])];
                k = [.. k.Select((key, i) => key * (1 + ((rate[i] - 1) * Vector("key_rate")[i % a])))];
                var heads = Norm(ReferenceRecurrent.DeltaRule(r, w, kappa, k, v, rate, a, mix.HeadSize), prefix + "output_norm", mix.Norm, mix.HeadSize);
                for (var head = 0; head < heads.Length; head += mix.HeadSize)
                {
                    var bonus = Enumerable.Range(head, mix.HeadSize).Sum(i => r[i] * k[i] * Vector("first")[i % a]);
                    for (var i = head; i < head + mix.HeadSize; i++)
                        heads[i] += bonus * v[i];
                }

                result = Multiply(heads, LowRank("gate", Input("gate"), mix.GateRank, Sigmoid, false));
                break;
            default:
                var decay = mix.Kind == TimeMixKind.StaticDecay
                    ? Array.ConvertAll(Vector("decay"), Math.Exp)
                    : Array.ConvertAll(LowRank("decay", Input("decay"), mix.DecayRank, Math.Tanh, true), d => Math.Exp(-Math.Exp(d)));
                var normed = Norm(ReferenceRecurrent.Decay(decay, Vector("first"), r, k, v, mix.HeadSize), prefix + "output_norm", mix.Norm, mix.HeadSize);
                result = Multiply(Array.ConvertAll(Project("gate"), value => value * Sigmoid(value)), normed);
                break;
        }

        return Linear(result, prefix + "output", a, false);
    }

    private double[] StateSpace(double[] x, StateSpaceDescription space, string prefix)
    {
        var (c, width) = (model.HiddenSize, space.Width);
        var isDual = space.Kind == StateSpaceKind.Dual;
        double[] Convolved(double[] y, string name, int channels) => ReferenceRecurrent.Convolution(
            y, tensors[$"{prefix}{name}_convolution.weight"], space.ConvolutionBias ? tensors[$"{prefix}{name}_convolution.bias"] : [], channels);
        var channels = Convolved(Linear(x, prefix + "input", c, space.Bias), "input", width);
        double[] Rows(string name)
        {
            var groups = Math.Max(space.Groups, 1);
            return isDual ? Convolved(Linear(x, prefix + name, c, space.Bias), name, groups * space.StateSize) : Normed(Linear(channels, prefix + name, width, false), name, space.StateSize);
        }

        double[] Normed(double[] y, string name, int size) => Norm(y, $"{prefix}{name}_norm", space.InputNorm, size);
        var step = isDual ? Linear(x, prefix + "step", c, true) : Linear(Normed(Linear(channels, prefix + "step_in", width, false), "step", space.StepRank), prefix + "step", space.StepRank, true);
        var scanned = ReferenceRecurrent.Scan(space, tensors[prefix + "decay"], tensors[prefix + "skip"], channels, step, Rows("b"), Rows("c"));
        var gated = Multiply(scanned, Array.ConvertAll(Linear(x, prefix + "gate", c, space.Bias), value => value * Sigmoid(value)));
        return Linear(Norm(gated, prefix + "output_norm", space.Norm, width / Math.Max(space.Groups, 1)), prefix + "output", width, space.Bias);
    }

    private double[] ShiftedFeedForward(double[] x, FeedForwardDescription block, string prefix)
    {
        var c = model.HiddenSize;
        var delta = ReferenceRecurrent.Shift(x, c);
        double[] Mixed(string name) => [.. x.Select((value, i) => value + (delta[i] * tensors[prefix + name][i % c]))];
        var result = Projections(Mixed("mix"), block, prefix);
        return block.Receptance ? Multiply(result, Array.ConvertAll(Linear(Mixed("receptance_mix"), prefix + "receptance", c, false), Sigmoid)) : result;
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static double[] Multiply(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a * b)];
}
