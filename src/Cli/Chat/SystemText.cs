using Weft.Chat;

namespace Weft.Cli.Chat;

/// <summary>What the model is told before everything, where its chat template has a place for that.</summary>
internal static class SystemText
{
    /// <summary>Says why a template cannot take a system text.</summary>
    /// <exception cref="WeftException">It refuses the text, or would leave it out.</exception>
    public static void Require(ChatPrompter prompter, string text)
    {
        ChatMessage question = new("user", "Hello.");
        string prompt;
        try
        {
            prompt = prompter.Render([new("system", text), question]);
        }
        catch (ChatTemplateException refusal) when (Takes(prompter, question))
        {
            throw new WeftException($"the model takes no system text: {refusal.Reason}", refusal);
        }
        catch (ChatTemplateException)
        {
            return; // what is wrong is not the system text: the next turn says it
        }

        // A template that leaves the text out writes the same for another.
        if (prompt == prompter.Render([new("system", text + "."), question]))
            throw new WeftException("the model takes no system text: its chat template leaves it out");
    }

    private static bool Takes(ChatPrompter prompter, ChatMessage question)
    {
        try
        {
            _ = prompter.Render([question]);
            return true;
        }
        catch (ChatTemplateException)
        {
            return false;
        }
    }
}
