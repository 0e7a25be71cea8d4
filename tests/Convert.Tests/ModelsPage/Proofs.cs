using Weft.Reference;

namespace Weft.Convert.Tests.ModelsPage;

/// <summary>Finds the tests that prove a family, in their sources: those that compare a reference checkpoint's logits, or else those that name its architecture.</summary>
internal static class Proofs
{
    private static readonly List<(string Name, string Text)> Tests =
    [
        .. Directory.EnumerateFiles(Path.Combine(SharedData.Repository, "tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains(nameof(ModelsPage), StringComparison.Ordinal))
            .Select(path => (
                Path.GetRelativePath(Path.Combine(SharedData.Repository, "tests"), path).Replace('\\', '/')[..^".cs".Length],
                File.ReadAllText(path)))
            .OrderBy(test => test.Item1, StringComparer.Ordinal),
    ];

    /// <summary>Tests that verify a reference checkpoint.</summary>
    public static IReadOnlyList<string> OfGolden(string golden) =>
    [
        .. from test in Tests
           where test.Text.Contains("Golden", StringComparison.OrdinalIgnoreCase)
               && (test.Text.Contains("\"verify\"", StringComparison.Ordinal) || test.Text.Contains("expected.safetensors", StringComparison.Ordinal))
               && test.Text.Contains($"\"{golden}\"", StringComparison.Ordinal)
           select test.Name,
    ];

    /// <summary>Tests that name one of the architectures.</summary>
    public static IReadOnlyList<string> OfArchitectures(IReadOnlyList<string> architectures) =>
        [.. from test in Tests where architectures.Any(name => test.Text.Contains($"\"{name}\"", StringComparison.Ordinal)) select test.Name];
}
