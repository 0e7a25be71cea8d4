namespace Weft.Profile.Gpu;

/// <summary>The clocks at which a GPU runs, as nvidia-smi says: noted, never set.</summary>
internal static class DeviceClocks
{
    private static readonly string[] Query = ["--id=0", "--query-gpu=clocks.sm,clocks.max.sm,clocks.mem,clocks.max.mem", "--format=csv,noheader"];

    /// <summary><c>SM 1755 MHz of 1980 MHz, memory 3201 MHz of 3201 MHz</c>, or why that is not known.</summary>
    public static string Read(bool isTrial, CancellationToken cancellationToken)
    {
        if (isTrial)
            return "none on the software device";
        try
        {
            var (exitCode, output) = ChildProgram.Run("nvidia-smi", Query, [], cancellationToken);
            return exitCode == 0 && output.Split(',', StringSplitOptions.TrimEntries) is [var sm, var mostSm, var memory, var mostMemory]
                ? $"SM {sm} of {mostSm}, memory {memory} of {mostMemory}"
                : $"not known: nvidia-smi says '{output.Trim()}'";
        }
        catch (WeftException failure)
        {
            return $"not known: {failure.Message}";
        }
    }
}
