namespace Weft.Models;

/// <summary>The tensors of the blocks that carry a state from token to token; those of a layer's begin with its prefix.</summary>
internal static class RecurrentSchema
{
    /// <summary>What a time mixing with a decay that depends on the input mixes, in the order of their tensors.</summary>
    public static IReadOnlyList<string> Mixed(TimeMixKind kind) => kind switch
    {
        TimeMixKind.Average => ["key", "value", "receptance"],
        TimeMixKind.StaticDecay => ["key", "value", "receptance", "gate"],
        TimeMixKind.DynamicDecay => ["decay", "key", "value", "receptance", "gate"],
        _ => ["receptance", "decay", "key", "value", "rate", "gate"],
    };

    /// <summary>Of a time mixing, in the order in which a step reads them.</summary>
    public static IEnumerable<TensorRequirement> Of(string prefix, TimeMixDescription mix, int c)
    {
        var a = mix.Width;
        List<TensorRequirement> tensors = [];
        void Vector(string name, int size) => tensors.Add(new(prefix + name, [size]));
        void Matrix(string name, int rows, int columns, bool bias = false)
        {
            tensors.Add(new(prefix + name + ".weight", [rows, columns]));
            if (bias)
                Vector(name + ".bias", rows);
        }

        void LowRank(string name, int rank, int rows, bool bias)
        {
            Matrix(name + "_in", rank, c);
            Matrix(name + "_out", rows, rank, bias);
        }

        if (mix.Kind == TimeMixKind.DynamicDecay)
            Vector("mix", c);
        foreach (var name in Mixed(mix.Kind))
        {
            Vector(name + "_mix", c);
            if (mix.Kind == TimeMixKind.DynamicDecay)
                LowRank(name + "_mix", mix.MixRank, c, bias: false);
        }

        Matrix("receptance", a, c);
        Matrix("key", a, c);
        Matrix("value", a, c);
        if (mix.Kind is TimeMixKind.Average or TimeMixKind.StaticDecay)
            Vector("decay", a);
        else
            LowRank("decay", mix.DecayRank, a, bias: true);
        if (mix.Kind == TimeMixKind.DeltaRule)
        {
            if (mix.ValueRank > 0)
                LowRank("value", mix.ValueRank, a, bias: true);
            LowRank("rate", mix.RateRank, a, bias: true);
            LowRank("gate", mix.GateRank, a, bias: false);
            Vector("key_scale", a);
            Vector("key_rate", a);
        }
        else if (mix.Kind != TimeMixKind.Average)
        {
            Matrix("gate", a, c);
        }

        Vector("first", a);
        if (mix.Norm is { Weightless: false })
            Vector("output_norm.weight", a);
        if (mix.Norm is { Bias: true })
            Vector("output_norm.bias", a);
        Matrix("output", c, a);
        return tensors;
    }

    /// <summary>Of a state space, in the order in which a step reads them.</summary>
    public static IEnumerable<TensorRequirement> Of(string prefix, StateSpaceDescription space, int c)
    {
        var (i, rows) = (space.Width, space.StateRows);
        var isDual = space.Kind == StateSpaceKind.Dual;
        List<TensorRequirement> tensors = [];
        void Vector(string name, int size) => tensors.Add(new(prefix + name, [size]));
        void Matrix(string name, int count, int columns, bool bias)
        {
            tensors.Add(new(prefix + name + ".weight", [count, columns]));
            if (bias)
                Vector(name + ".bias", count);
        }

        void Convolution(string name, int channels)
        {
            Vector(name + ".weight", channels * space.Convolution);
            if (space.ConvolutionBias)
                Vector(name + ".bias", channels);
        }

        void Norm(string name, int size, NormDescription? norm)
        {
            if (norm is { Weightless: false })
                Vector(name + ".weight", size);
            if (norm is { Bias: true })
                Vector(name + ".bias", size);
        }

        Matrix("input", i, c, space.Bias);
        Matrix("gate", i, c, space.Bias);
        if (isDual)
        {
            Matrix("b", rows, c, space.Bias);
            Matrix("c", rows, c, space.Bias);
            Matrix("step", space.Steps, c, bias: true);
            Convolution("input_convolution", i);
            Convolution("b_convolution", rows);
            Convolution("c_convolution", rows);
        }
        else
        {
            Convolution("input_convolution", i);
            Matrix("b", rows, i, bias: false);
            Matrix("c", rows, i, bias: false);
            Matrix("step_in", space.StepRank, i, bias: false);
            Norm("b_norm", rows, space.InputNorm);
            Norm("c_norm", rows, space.InputNorm);
            Norm("step_norm", space.StepRank, space.InputNorm);
            Matrix("step", space.Steps, space.StepRank, bias: true);
        }

        Vector("decay", isDual ? space.Heads : i * space.StateSize);
        Vector("skip", space.Steps);
        if (space.Norm is { Weightless: false })
            Vector("output_norm.weight", i);
        Matrix("output", c, i, space.Bias);
        return tensors;
    }
}
