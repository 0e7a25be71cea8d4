using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What Mamba and its relatives with a state a channel share: one matrix for steps, B and C.</summary>
internal abstract class SelectiveLayout : StateSpaceLayout
{
    /// <summary>
    /// What is gated grows with the state and is not normed before it is projected back: it can leave the range of f16. So the scan gives a sixteenth, C and the skip being so much less, and
    /// the projection takes sixteen times as much of it, both exactly.
    /// </summary>
    protected const float Headroom = 16;

    /// <summary>Describes a model.</summary>
    /// <param name="config">The config.</param>
    /// <param name="inputNorm">Norm of steps, B and C, or null.</param>
    protected static ModelDescription Describe(ConfigFile config, NormDescription? inputNorm)
    {
        var space = SpaceOf(config);
        var rank = ConfigParts.Spelling(space, "time_step_rank", "dt_rank");
        var isAutomatic = space.Json(rank) is null or { ValueKind: System.Text.Json.JsonValueKind.String };
        return Describe(config, new()
        {
            Kind = StateSpaceKind.Selective,
            Width = Width(config),
            StateSize = Size(config, "state_size", "d_state", 16),
            Convolution = Size(config, "conv_kernel", "d_conv", 4),
            StepRank = isAutomatic ? (Hidden(config) + 15) / 16 : space.Int(rank),
            InputNorm = inputNorm,
        }, isTied: true);
    }

    /// <inheritdoc/>
    public override string SourceName(string packedName) => InLayer(packedName) switch
    {
        "state_space.b.weight" or "state_space.c.weight" or "state_space.step_in.weight" => Named(packedName, "x_proj.weight"),
        "state_space.step.weight" => Named(packedName, "dt_proj.weight"),
        "state_space.step.bias" => Named(packedName, "dt_proj.bias"),
        _ => base.SourceName(packedName),
    };

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = Take(requirement, shelf);
        return requirement.Name.Split('.') is ["layers", var layer, "state_space", ..]
            ? SourceOf(requirement.Name, model.Layers[int.Parse(layer, System.Globalization.CultureInfo.InvariantCulture)].StateSpace!, stored)
            : new(stored);
    }

    /// <summary>What a packed tensor of a state space is made of, of the tensor that has it.</summary>
    internal static TensorSource SourceOf(string packedName, StateSpaceDescription space, StoredTensor stored)
    {
        var (i, n, rank) = (space.Width, space.StateSize, space.StepRank);
        return InLayer(packedName).Split('.') switch
        {
            [_, "input", ..] => new(OfRows(stored, 2 * i).Narrow(0, 0, i)),
            [_, "gate", ..] => new(OfRows(stored, 2 * i).Narrow(0, i, i)),
            [_, "input_convolution", ..] => Convolution(OfRows(stored, i), 0, i),
            [_, "step_in", ..] => new(OfRows(stored, rank + (2 * n)).Narrow(0, 0, rank)),
            [_, "b", ..] => new(OfRows(stored, rank + (2 * n)).Narrow(0, rank, n)),
            // A norm of C would undo the factor, and has it in its weight.
            [_, "c", ..] => Times(space.InputNorm is null ? 1 / Headroom : 1, OfRows(stored, rank + (2 * n)).Narrow(0, rank + n, n)),
            [_, "c_norm", ..] or [_, "skip"] => Times(1 / Headroom, stored),
            [_, "output", "weight"] => Times(Headroom, stored),
            [_, "decay"] => ByRows(OfRows(stored, i)),
            _ => new(stored),
        };
    }

    private static TensorSource Times(float factor, StoredTensor stored) =>
        factor == 1 ? new(stored) : new(stored) { Transform = numbers => Array.ConvertAll(numbers, x => factor * x) };

    private static string Named(string packedName, string name) => Mixer.Replace("#", packedName.Split('.')[1], StringComparison.Ordinal) + name;
}
