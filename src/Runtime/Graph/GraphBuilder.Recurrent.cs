using Weft.Models;

namespace Weft.Graph;

/// <content>Blocks that carry a state from token to token.</content>
public sealed partial class GraphBuilder
{
    private const int StateGranularity = 4; // numbers that a kernel reads together

    private int stateSize;
    private Value? firstValues; // of the first time mixing by the delta rule

    private StateSlice NewState(int size)
    {
        var slice = new StateSlice(stateSize, size);
        stateSize += (size + StateGranularity - 1) / StateGranularity * StateGranularity;
        return slice;
    }

    private Value BuildShift(Value x) => Map(x, y => new TokenShiftNode(NewState(x.Width), x, y));

    private Value Mix(string weight, Value x, Value delta, Value? adjustment = null) => Map(x, y => new MixNode(weight, x, delta, adjustment, y));

    private Value Gate(Activation activation, Value gate, Value x) => Map(x, y => new GateNode(activation, gate, x, y));

    /// <summary>out(activation(in · x)) of two small matrices.</summary>
    private Value LowRank(string name, Value x, int rank, Activation? activation, int width, bool bias)
    {
        var narrow = Linear(name + "_in", false, x, rank);
        return Linear(name + "_out", bias, activation is { } f ? Map(narrow, y => new ActivationNode(f, narrow, y)) : narrow, width);
    }

    private Value BuildTimeMix(string prefix, TimeMixDescription mix, Value x)
    {
        var delta = BuildShift(x);
        var mixed = MixInputs(prefix, mix, x, delta);
        var r = Linear(prefix + "receptance", false, mixed["receptance"], mix.Width);
        var k = Linear(prefix + "key", false, mixed["key"], mix.Width);
        var v = Linear(prefix + "value", false, mixed["value"], mix.Width);
        var result = mix.Kind switch
        {
            TimeMixKind.Average => Gate(Activation.Sigmoid, r, Map(v, y => new AverageNode(NewState(3 * mix.Width), prefix + "decay", prefix + "first", k, v, y))),
            TimeMixKind.DeltaRule => BuildDeltaRule(prefix, mix, mixed, r, k, v),
            _ => BuildDecay(prefix, mix, mixed, r, k, v),
        };
        return Linear(prefix + "output", false, result, x.Width);
    }

    /// <summary>The inputs of a time mixing's products by their names.</summary>
    private Dictionary<string, Value> MixInputs(string prefix, TimeMixDescription mix, Value x, Value delta)
    {
        var common = mix.Kind == TimeMixKind.DynamicDecay ? Mix(prefix + "mix", x, delta) : null;
        return RecurrentSchema.Mixed(mix.Kind).ToDictionary(name => name, name =>
        {
            var weight = $"{prefix}{name}_mix";
            return Mix(weight, x, delta, common is null ? null : LowRank(weight, common, mix.MixRank, Activation.Tanh, x.Width, bias: false));
        });
    }

    private Value BuildDecay(string prefix, TimeMixDescription mix, Dictionary<string, Value> mixed, Value r, Value k, Value v)
    {
        var isStatic = mix.Kind == TimeMixKind.StaticDecay;
        var d = isStatic ? null : LowRank(prefix + "decay", mixed["decay"], mix.DecayRank, Activation.Tanh, mix.Width, bias: true);
        var gate = Linear(prefix + "gate", false, mixed["gate"], mix.Width);
        var heads = Map(v, y => new DecayNode(NewState(mix.Width * mix.HeadSize), mix.HeadSize, isStatic ? prefix + "decay" : null, d, prefix + "first", r, k, v, y));
        return Gate(Activation.Silu, gate, Norm(mix.Norm, prefix + "output_norm", heads, mix.HeadSize));
    }

    private Value BuildDeltaRule(string prefix, TimeMixDescription mix, Dictionary<string, Value> mixed, Value r, Value k, Value v)
    {
        if (mix.ValueRank > 0)
        {
            var (own, first) = (v, firstValues!);
            var amount = Sigmoid(LowRank(prefix + "value", mixed["value"], mix.ValueRank, null, mix.Width, bias: true));
            v = Map(own, y => new LerpNode(own, first, amount, y));
        }

        firstValues ??= v;
        var d = LowRank(prefix + "decay", mixed["decay"], mix.DecayRank, Activation.Tanh, mix.Width, bias: true);
        var a = Sigmoid(LowRank(prefix + "rate", mixed["rate"], mix.RateRank, null, mix.Width, bias: true));
        var gate = LowRank(prefix + "gate", mixed["gate"], mix.GateRank, Activation.Sigmoid, mix.Width, bias: false);
        var heads = Map(v, y => new DeltaRuleNode(NewState(mix.Width * mix.HeadSize), mix.HeadSize, prefix + "key_scale", prefix + "key_rate", r, d, k, v, a, y));
        var normed = Norm(mix.Norm, prefix + "output_norm", heads, mix.HeadSize);
        return Map(normed, y => new BonusNode(mix.HeadSize, prefix + "key_rate", prefix + "first", r, k, v, a, gate, normed, y));
    }

    private Value Sigmoid(Value x) => Map(x, y => new ActivationNode(Activation.Sigmoid, x, y));

    private Value BuildStateSpace(string prefix, StateSpaceDescription space, Value x)
    {
        var isDual = space.Kind == StateSpaceKind.Dual;
        var gate = Linear(prefix + "gate", space.Bias, x, space.Width);
        var channels = Convolution(prefix + "input", space, Linear(prefix + "input", space.Bias, x, space.Width));
        var source = isDual ? x : channels;
        var b = Linear(prefix + "b", space.Bias && isDual, source, space.StateRows);
        var c = Linear(prefix + "c", space.Bias && isDual, source, space.StateRows);
        (b, c) = isDual
            ? (Convolution(prefix + "b", space, b), Convolution(prefix + "c", space, c))
            : (Norm(space.InputNorm, prefix + "b_norm", b), Norm(space.InputNorm, prefix + "c_norm", c));
        var step = Linear(prefix + "step", true, isDual ? x : Norm(space.InputNorm, prefix + "step_norm", Linear(prefix + "step_in", false, channels, space.StepRank)), space.Steps);
        var scanned = Map(channels, y => new ScanNode(NewState(space.Width * space.StateSize), space, prefix + "decay", prefix + "skip", channels, step, b, c, y));
        var gated = Gate(Activation.Silu, gate, scanned);
        return Linear(prefix + "output", space.Bias, Norm(space.Norm, prefix + "output_norm", gated, space.Width / Math.Max(space.Groups, 1)), x.Width);
    }

    private Value Convolution(string name, StateSpaceDescription space, Value x) => Map(x, y => new ConvolutionNode(
        NewState(x.Width * (space.Convolution - 1)), space.Convolution, name + "_convolution.weight", space.ConvolutionBias ? name + "_convolution.bias" : null, x, y));

    /// <summary>Feed-forward that shifts tokens: the receptance gates its result.</summary>
    private Value BuildShifted(string prefix, FeedForwardDescription block, Value x)
    {
        var delta = BuildShift(x);
        var result = BuildProjections(prefix, block, Mix(prefix + "mix", x, delta));
        return block.Receptance
            ? Gate(Activation.Sigmoid, Linear(prefix + "receptance", false, Mix(prefix + "receptance_mix", x, delta), x.Width), result)
            : result;
    }
}
